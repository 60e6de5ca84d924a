package measure

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/runs/sweep"
)

// Session says how the measurements of a plan are taken.
type Session struct {
	Step     []string  // the command of a process that reads a bench.Spec, calls Step and writes the bench.Taken
	Python   string    // for the peers
	Rounds   int       // how often each measurement is taken
	Peak     bool      // also time a product of large matrices (Peak), for comparison
	Progress io.Writer // a line for each measurement
}

// Record takes the measurements of a plan in turn, each in a process of its own, and records them with the machine and
// the commit.
func (s Session) Record(ctx context.Context, plan bench.Plan) (*bench.Record, error) {
	cases, err := plan.Cases()
	if err != nil {
		return nil, err
	}
	if len(plan.Peers) > 0 {
		if _, err := exec.LookPath(s.Python); err != nil {
			return nil, fmt.Errorf("there is no Python for the peers at %s: "+
				"make bench-peers installs one, --python names another", s.Python)
		}
	}
	plugin, err := backend.Find()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "stochdepth-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	record, err := s.prepare(cases, folder)
	if err != nil {
		return nil, err
	}
	peers := bench.Runner{Python: s.Python, Folder: folder, Device: backend.CPU}
	if plugin.Kind == backend.CUDA {
		peers.Device = backend.CUDA
	}
	take := func(ctx context.Context, c bench.Case) (bench.Measurement, error) {
		var taken bench.Taken
		if c.Peer == nil {
			_, err = sweep.Ask(ctx, s.Step, c.Spec, &taken)
		} else if taken, err = peers.Take(ctx, c, startFile(folder, c.Spec)); err == nil {
			record.Versions[c.Peer.System] = taken.Version
		}
		if err != nil {
			return bench.Measurement{}, err
		}
		return c.Measurement(taken)
	}
	record.Results, err = bench.TakeTurns(ctx, cases, s.Rounds, take, func(done, total int, c bench.Case, m bench.Measurement) {
		fmt.Fprintf(s.Progress, "%d/%d %s: %.0f ms\n", done, total, c.Name(), m.StepMS)
	})
	return record, err
}

// prepare writes the peers' start files into the folder and returns a record without results. Afterwards the device is
// free again.
func (s Session) prepare(cases []bench.Case, folder string) (*bench.Record, error) {
	b, err := backend.Open()
	if err != nil {
		return nil, err
	}
	defer b.Finalize()
	for _, c := range cases {
		if c.Peer != nil {
			if err := WriteStart(b, c.Spec, startFile(folder, c.Spec)); err != nil {
				return nil, err
			}
		}
	}
	return s.record(b)
}

func (s Session) record(b compute.Backend) (*bench.Record, error) {
	info := backend.Describe(b)
	record := bench.NewRecord(strings.Join(info.Devices[:min(1, len(info.Devices))], ""))
	record.Versions = map[string]string{"pjrt": info.PJRT, "kernels": info.Kernels}
	if s.Peak {
		var err error
		if record.PeakGFLOPS, err = Peak(b); err != nil {
			return nil, fmt.Errorf("cannot time a matrix product: %w", err)
		}
	}
	return record, nil
}

// startFile is the file that WriteStart writes for the peers.
func startFile(folder string, s bench.Spec) string {
	return filepath.Join(folder, fmt.Sprintf("%s-%s-%d-%d-%d-%g.safetensors", s.Network, s.Block, s.ImageSize, s.Layers, s.Batch, s.DeathRate))
}

// WriteStart writes the safetensors file from which all programs that take the steps of a specification start. It has the
// network with its initial weights, as [network.Model.Export] writes it, and also
//
//	batch.pixels [batch, side, side, 3] bytes
//	batch.labels [batch]                I32
//	gates [bench.Untimed + steps, L]    bytes, 1 for open: a row for each step
func WriteStart(b compute.Backend, s bench.Spec, path string) error {
	gates, err := s.Gates()
	if err != nil {
		return err
	}
	model, err := newModel(b, s)
	if err != nil {
		return err
	}
	if err := model.Export(path, nil); err != nil {
		return err
	}
	tensors, metadata, err := tensorfile.Read(path)
	if err != nil {
		return err
	}
	batch := randomBatch(model.Network, s.Batch)
	labels := make([]byte, 0, 4*s.Batch)
	for _, label := range batch.Labels {
		labels = binary.LittleEndian.AppendUint32(labels, uint32(label))
	}
	var rows []byte
	for _, row := range gates {
		rows = append(rows, depth.Numbers[byte](row)...)
	}
	tensors = append(tensors,
		tensorfile.Tensor{Name: "batch.pixels", DType: "U8", Shape: batch.Format.Batch(s.Batch), Data: batch.Pixels},
		tensorfile.Tensor{Name: "batch.labels", DType: "I32", Shape: []int{s.Batch}, Data: labels},
		tensorfile.Tensor{Name: "gates", DType: "U8", Shape: []int{len(gates), len(gates[0])}, Data: rows})
	return tensorfile.Write(path, tensors, metadata)
}
