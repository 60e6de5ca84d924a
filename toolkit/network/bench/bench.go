// Package bench holds measurements of speed: what was timed, on which machine, at which commit. The files
// in data/bench are Records. A Plan says what to measure. A Peer takes the same steps in another framework; package
// bench/measure times our own network. This package does not need GoMLX, so figures can read measurements without it.
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

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/project"
)

// Record is one session of measuring: all its measurements come from one machine and commit, so they may be
// compared with each other.
type Record struct {
	Description string            `json:"description"` // what was measured and by which command
	Date        string            `json:"date"`        // RFC 3339, UTC
	Commit      string            `json:"commit"`
	Machine     string            `json:"machine"` // processor and cores
	Device      string            `json:"device"`  // what computed: "cpu" or the GPU's name
	Versions    map[string]string `json:"versions"`
	PeakGFLOPS  float64           `json:"peak_gflops"` // see measure.Peak; 0: not measured
	Results     []Measurement     `json:"results"`
}

// NewRecord returns a record of what a device measures now, on this machine and by this program, without results.
func NewRecord(device string) *Record {
	return &Record{Date: time.Now().UTC().Format(time.RFC3339), Commit: project.Commit(), Machine: project.Machine(), Device: device}
}

// Measurement times training steps of one network: forward, backward and the optimizer's update of one minibatch.
type Measurement struct {
	System string `json:"system"` // stochdepth, pytorch or jax
	Mode   string `json:"mode"`   // of stochdepth the form, survivors or resnet; of a peer its mode, as "scan"
	DType  string `json:"dtype"`

	Network   string `json:"network,omitempty"`    // as in the Spec
	ImageSize int    `json:"image_size,omitempty"` // as in the Spec
	Block     string `json:"block,omitempty"`      // kind of the blocks; empty: basic, the paper's, or the network's
	Layers    int    `json:"layers"`               // 6N+2 with the paper's blocks, see depth.BlocksOf
	Batch     int    `json:"batch"`                // images

	DeathRate float64 `json:"death_rate"` // 1 - p_L of the linear rule, or if Fixed as in the Spec
	Fixed     bool    `json:"fixed"`      // the open blocks were set, not drawn
	Blocks    int     `json:"blocks"`     // L
	Open      float64 `json:"open"`       // open blocks, mean over the steps

	Steps    int     `json:"steps"`              // timed steps, n
	StepMS   float64 `json:"step_ms"`            // median time of a step
	BlockMS  float64 `json:"block_ms,omitempty"` // median of a step's time over its open blocks; 0: none open, or an older record
	LowMS    float64 `json:"low_ms"`             // fastest step
	HighMS   float64 `json:"high_ms"`            // slowest step
	CompileS float64 `json:"compile_s"`          // first step minus second: with no block open, plus the same with all open
	CachedS  float64 `json:"cached_s,omitempty"` // with no block open and the executable kept from an earlier start; 0: not kept
	PeakMB   float64 `json:"peak_mb"`            // most memory held by the process

	Loss       float64 `json:"loss,omitempty"`                // at the initial weights with all blocks open; 0: an older record
	Evaluation float64 `json:"evaluation_images_s,omitempty"` // images classified per second in test mode; 0: not timed
}

// Key keeps only the fields that say which network was timed and by which program, without its open blocks and the results.
func (m Measurement) Key() Measurement {
	return Measurement{System: m.System, Mode: m.Mode, DType: m.DType, Network: m.Network, ImageSize: m.ImageSize, Block: m.Block,
		Layers: m.Layers, Batch: m.Batch, Fixed: m.Fixed, Blocks: m.Blocks}
}

// sameNetwork reports whether two measurements, of any programs, have the same network, minibatch and type of numbers.
func (m Measurement) sameNetwork(other Measurement) bool {
	return m.Network == other.Network && m.ImageSize == other.ImageSize && m.Block == other.Block && m.Layers == other.Layers &&
		m.Batch == other.Batch && m.DType == other.DType
}

// imagesOf names images of another side than the paper's, after a comma: ", 64x64 pixels".
func imagesOf(side int) string {
	if side == 0 {
		return ""
	}
	return fmt.Sprintf(", %dx%d pixels", side, side)
}

// PerOpenBlock is the time of a whole step divided by its number of open blocks, in ms: BlockMS, or in an older record the
// median step divided by the mean number of open blocks.
func (m Measurement) PerOpenBlock() float64 {
	if m.BlockMS > 0 {
		return m.BlockMS
	}
	return m.StepMS / m.Open
}

// ImagesPerSecond is the throughput in training.
func (m Measurement) ImagesPerSecond() float64 { return float64(m.Batch) / m.StepMS * 1e3 }

// Write writes the record to path, whole or not at all.
func (r *Record) Write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write the measurements %s: %w", path, err)
	}
	return files.Make(path, append(data, '\n'))
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
		return nil, fmt.Errorf("the measurements %s are damaged (%w): restore the file, or measure again with stochdepth bench",
			path, err)
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

// Median is the middle value, or the mean of the two in the middle. It does not change the slice.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
