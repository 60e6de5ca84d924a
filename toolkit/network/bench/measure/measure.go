// Package measure times training steps of our network. Package bench says what to time, and defines the measurements.
package measure

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/network/resnet"
)

// Step takes all steps of the specification (forward, backward and the optimizer's update), and waits for the outcome of
// each. Then it evaluates, if the specification says so.
func Step(ctx context.Context, b compute.Backend, s bench.Spec) (bench.Taken, error) {
	if err := s.Check(); err != nil {
		return bench.Taken{}, err
	}
	gates, err := s.Gates()
	if err != nil {
		return bench.Taken{}, err
	}
	if err := backend.CheckDType(b, s.DType); err != nil {
		return bench.Taken{}, err
	}
	folder, err := os.MkdirTemp("", "stochdepth-bench-")
	if err != nil {
		return bench.Taken{}, err
	}
	defer os.RemoveAll(folder)
	defer proxy.KeepIn(proxy.KeepIn(folder)) // an empty folder: no executables from an earlier start

	model, err := newModel(b, s)
	if err != nil {
		return bench.Taken{}, err
	}
	batch := randomBatch(model.Network, s.Batch)
	taken, err := steps(model, batch, gates)
	if err != nil {
		return bench.Taken{}, err
	}
	taken.PeakMB = peakMemory()
	if s.Evaluate {
		images := evaluationImages(batch)
		for range bench.Evaluations {
			start := time.Now()
			score, err := model.Evaluate(ctx, images)
			if err != nil {
				return bench.Taken{}, err
			}
			taken.EvaluationsMS = append(taken.EvaluationsMS, milliseconds(time.Since(start)))
			taken.EvaluationErrors = math.Round(score.Error / 100 * bench.EvaluationImages)
		}
	}
	kept := proxy.Loaded()
	if model, err = newModel(b, s); err != nil {
		return bench.Taken{}, err
	}
	again, err := steps(model, batch, gates[:2])
	if err == nil && proxy.Loaded() > kept {
		taken.CachedS = (again.StepsMS[0] - again.StepsMS[1]) / 1e3
	}
	return taken, err
}

// steps takes a step for each of the gates, the untimed ones at a learning rate of zero.
func steps(m *network.Model, batch *network.Batch, gates []depth.Gates) (taken bench.Taken, err error) {
	for i, open := range gates {
		if i == 0 {
			err = m.SetLearningRate(0)
		} else if i == bench.Untimed {
			err = m.SetLearningRate(m.Recipe.LearningRate)
		}
		if err != nil {
			return taken, err
		}
		duration, outcome, err := timeStep(m, batch, open)
		if err != nil {
			return taken, err
		}
		taken.StepsMS = append(taken.StepsMS, milliseconds(duration))
		if i < bench.Losses {
			taken.Losses = append(taken.Losses, outcome.Loss)
		}
	}
	return taken, nil
}

// newModel returns the specification's network, for images of ten classes.
func newModel(b compute.Backend, s bench.Spec) (*network.Model, error) {
	recipe, err := s.Recipe()
	if err != nil {
		return nil, err
	}
	return network.NewModel(b, recipe, network.Input{Format: recipe.Image(), Classes: 10,
		Normalization: dataset.Normalization{Mean: []float32{128, 128, 128}, Deviation: []float32{64, 64, 64}}})
}

// timeStep takes one step and waits for its outcome.
func timeStep(m *network.Model, batch *network.Batch, open depth.Gates) (time.Duration, network.Outcome, error) {
	batch.SetGates(open)
	start := time.Now()
	wait, err := m.Step(batch)
	if err != nil {
		return 0, network.Outcome{}, err
	}
	outcome, err := wait()
	return time.Since(start), outcome, err
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }

// randomBatch is the minibatch of all steps: random pixels and labels, the same for all programs.
func randomBatch(n *resnet.Network, size int) *network.Batch {
	rng := rand.New(rand.NewPCG(1, 1))
	batch := &network.Batch{Format: n.Image, Pixels: make([]byte, size*n.Image.Bytes()), Labels: make([]int32, size)}
	for i := range batch.Pixels {
		batch.Pixels[i] = byte(rng.Uint32())
	}
	for i := range batch.Labels {
		batch.Labels[i] = rng.Int32N(int32(n.Classes))
	}
	return batch
}

// evaluationImages repeats the images of the minibatch.
func evaluationImages(batch *network.Batch) dataset.View {
	images, size := &dataset.Images{Format: batch.Format}, batch.Format.Bytes()
	for i := range bench.EvaluationImages {
		k := i % len(batch.Labels)
		images.Pixels = append(images.Pixels, batch.Pixels[k*size:(k+1)*size]...)
		images.Labels = append(images.Labels, uint16(batch.Labels[k]))
	}
	return dataset.NewView(images)
}

// peakMemory is the most memory that this process has held, in MB, or 0 where the system does not report it. (The number
// from getrusage includes what the parent process held when it started this one.)
func peakMemory() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kB float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kB); n == 1 {
			return kB * 1024 / 1e6
		}
	}
	return 0
}

// Peak is the speed in GFLOP/s at which XLA multiplies two float32 matrices of 4096 x 4096 on the device, the best of ten.
func Peak(b compute.Backend) (float64, error) {
	const size = 4096
	exec, err := graph.NewExec(b, func(x *graph.Node) *graph.Node {
		return graph.ReduceAllSum(graph.Slice(graph.Dot(x, x).Product(), graph.AxisElem(0), graph.AxisElem(0)))
	})
	if err != nil {
		return 0, err
	}
	defer exec.Finalize()
	values := make([]float32, size*size)
	for i := range values {
		values[i] = float32(i%7) * 1e-3
	}
	x := tensors.FromFlatDataAndDimensions(values, size, size)
	best := 0.0
	for range 10 {
		start := time.Now()
		out, err := exec.Call(x)
		if err != nil {
			return 0, err
		}
		out[0].Value() // waits
		best = max(best, 2*size*size*size/time.Since(start).Seconds()/1e9)
	}
	return best, nil
}

// Time takes the steps ([Step]) and returns the measurement.
func Time(ctx context.Context, b compute.Backend, s bench.Spec) (bench.Measurement, error) {
	taken, err := Step(ctx, b, s)
	if err != nil {
		return bench.Measurement{}, err
	}
	return bench.Case{Spec: s}.Measurement(taken)
}
