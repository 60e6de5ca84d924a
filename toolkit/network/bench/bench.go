// Package bench holds measurements of speed: what was timed, on which machine, at which commit. The files
// in data/bench are Records. A Plan says what to measure, and a Peer does it in another framework; our own network
// is timed in package bench/measure. This one has no GoMLX, so that figures can read what was measured.
package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/project"
)

// Record is one session of measuring: all its measurements come from one machine and commit, and so may be
// compared with each other.
type Record struct {
	Description string            `json:"description"` // what was measured and by which command
	Date        string            `json:"date"`        // RFC 3339, UTC
	Commit      string            `json:"commit"`
	Machine     string            `json:"machine"` // processor and cores
	Device      string            `json:"device"`  // what computed: "cpu" or the GPU's name
	Versions    map[string]string `json:"versions"`
	PeakGFLOPS  float64           `json:"peak_gflops"` // of a float32 matrix product of 4096, by XLA, on this machine; 0: not measured
	Results     []Measurement     `json:"results"`
}

// NewRecord returns a record of what a device measures now, on this machine and by this program, without results.
func NewRecord(device string) *Record {
	return &Record{Date: time.Now().UTC().Format(time.RFC3339), Commit: project.Commit(), Machine: project.Machine(), Device: device}
}

// Measurement times training steps of one network: forward, backward and the optimizer's update of one minibatch.
type Measurement struct {
	System string `json:"system"` // stochdepth, pytorch or jax
	Mode   string `json:"mode"`   // stochdepth: survivors or resnet (the two forms); the peers' own modes, as "eager channels_last" or "scan"
	DType  string `json:"dtype"`
	Block  string `json:"block,omitempty"` // kind of the blocks; empty: basic, the paper's
	Layers int    `json:"layers"`          // 6N+2, or as the blocks' networks have
	Batch  int    `json:"batch"`           // images

	DeathRate float64 `json:"death_rate"` // 1 - p_L of the linear rule, or what was asked for where Fixed
	Fixed     bool    `json:"fixed"`      // Open blocks were set by hand, not drawn
	Blocks    int     `json:"blocks"`     // L
	Open      float64 `json:"open"`       // open blocks, mean over the steps

	Steps    int     `json:"steps"`              // timed steps, n
	StepMS   float64 `json:"step_ms"`            // median of the steps' times
	BlockMS  float64 `json:"block_ms,omitempty"` // median of the steps' times, each divided by its open blocks; 0: none open, or an older record
	LowMS    float64 `json:"low_ms"`             // fastest step
	HighMS   float64 `json:"high_ms"`            // slowest step
	CompileS float64 `json:"compile_s"`          // first step less a second with no block open, and again with all
	CachedS  float64 `json:"cached_s,omitempty"` // the same with no block open, where the executable was kept from an earlier start; 0: none is kept
	PeakMB   float64 `json:"peak_mb"`            // most memory held by the process

	Loss       float64 `json:"loss,omitempty"`                // of the minibatch with all blocks open, at the initial weights; 0: an older record
	Evaluation float64 `json:"evaluation_images_s,omitempty"` // images classified in a second, test mode; 0: not timed
}

// Network is the network that was timed, without how its blocks were open and what came out.
func (m Measurement) Network() Measurement {
	return Measurement{System: m.System, Mode: m.Mode, DType: m.DType, Block: m.Block, Layers: m.Layers, Batch: m.Batch, Fixed: m.Fixed, Blocks: m.Blocks}
}

// sameNetwork reports whether two measurements are of the same network and minibatch in the same type of numbers, by
// whatever program.
func (m Measurement) sameNetwork(other Measurement) bool {
	return m.Block == other.Block && m.Layers == other.Layers && m.Batch == other.Batch && m.DType == other.DType
}

// PerOpenBlock is the time of a step over its open blocks, in ms, with all that a step does beside them: BlockMS, or for an
// older record the median step over the mean of the open blocks.
func (m Measurement) PerOpenBlock() float64 {
	if m.BlockMS > 0 {
		return m.BlockMS
	}
	return m.StepMS / m.Open
}

// ImagesPerSecond is the throughput of training.
func (m Measurement) ImagesPerSecond() float64 { return float64(m.Batch) / m.StepMS * 1e3 }

// Write writes the record to path, whole or not at all.
func (r *Record) Write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write the measurements %s: %w", path, err)
	}
	if err := disk.MkdirAll(filepath.Dir(path)); err != nil {
		return files.WriteError(path, err)
	}
	return files.Write(path, append(data, '\n'))
}

// Read reads the record at path.
func Read(path string) (*Record, error) {
	data, err := files.ReadText(path, files.LargestText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no measurements at %s: measure with stochdepth bench", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the measurements: %w", err)
	}
	r := &Record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("the measurements %s are damaged (%w): restore the file, or measure again with stochdepth bench", path, err)
	}
	return r, nil
}

// List reads all records of a folder, sorted by file name.
func List(folder string) (map[string]*Record, []string, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, nil, err
	}
	sort.Strings(paths)
	records, names := make(map[string]*Record), make([]string, 0, len(paths))
	for _, path := range paths {
		r, err := Read(path)
		if err != nil {
			return nil, nil, err
		}
		name := filepath.Base(path[:len(path)-len(".json")])
		records[name], names = r, append(names, name)
	}
	return records, names, nil
}

// Median is the middle of the values, or the mean of the two in the middle; they are left as they are.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
