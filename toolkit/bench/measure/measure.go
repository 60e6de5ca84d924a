// Package measure times training steps: see package bench for what a measurement holds.
package measure

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"stochdepth/toolkit/backend"
	"stochdepth/toolkit/bench"
	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/kernels"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/training"
)

// Spec is what to time: training steps of one network on images that stay the same.
type Spec struct {
	Layers    int     `json:"layers"` // 6N+2
	Batch     int     `json:"batch"`  // images
	DType     string  `json:"dtype"`
	Form      string  `json:"form"`       // survivors or resnet
	DeathRate float64 `json:"death_rate"` // 1 - p_L of the linear rule; the gates are drawn as in training
	Fixed     bool    `json:"fixed"`      // instead, Open blocks are open in each step, spread over the network
	Open      int     `json:"open"`
	Recompute bool    `json:"recompute"` // the blocks' activations are computed again for the gradient
	Steps     int     `json:"steps"`     // to time
}

// Draws is over how many steps the gates are drawn anew; then they repeat, so that runs of different length
// have the same open blocks.
const Draws = 8

// maxSteps is the largest number of steps that are timed.
const maxSteps = 100_000

// Check says in one sentence what of the specification no machine can time, or returns nil.
func (s Spec) Check() error {
	if err := runs.CheckRange("the number of steps", s.Steps, 1, maxSteps); err != nil {
		return err
	}
	if err := s.recipe().Validate(); err != nil {
		return err
	}
	if blocks := (s.Layers - 2) / 2; s.Fixed && (s.Open < 0 || s.Open > blocks) {
		return fmt.Errorf("%d open blocks: %d layers have %d", s.Open, s.Layers, blocks)
	}
	return nil
}

// recipe is that of the network.
func (s Spec) recipe() runs.Recipe {
	recipe := runs.Default()
	recipe.Dataset, recipe.Epochs = "shapes", 1
	recipe.Depth, recipe.BatchSize, recipe.DType, recipe.Form = s.Layers, s.Batch, s.DType, s.Form
	recipe.DeathRate, recipe.Recompute = s.DeathRate, s.Recompute
	return recipe
}

// Step times a network's steps: forward, backward and the optimizer's update, waiting for the outcome of
// each. The first, which compiles, is not among them, nor is the first with all blocks open.
func Step(b compute.Backend, s Spec) (bench.Measurement, error) {
	if err := s.Check(); err != nil {
		return bench.Measurement{}, err
	}
	recipe := s.recipe()
	if err := backend.CheckDType(b, recipe.DType); err != nil {
		return bench.Measurement{}, err
	}
	folder, err := os.MkdirTemp("", "stochdepth-bench-")
	if err != nil {
		return bench.Measurement{}, err
	}
	defer os.RemoveAll(folder)
	defer kernels.KeepIn(kernels.KeepIn(folder)) // nothing is there from an earlier start

	model, err := newModel(b, recipe)
	if err != nil {
		return bench.Measurement{}, err
	}
	blocks := len(model.Network.Survival)
	batch := randomBatch(s.Batch)
	gates := func(i int) depth.Gates {
		if s.Fixed {
			return spread(s.Open, blocks)
		}
		return model.Network.Survival.Draw(depth.Rand(recipe.Seed, depth.GateDraws, int64(i%Draws)))
	}

	compile, err := firstStep(model, batch)
	if err != nil {
		return bench.Measurement{}, err
	}
	if _, err := timeStep(model, batch, depth.AllOpen(blocks)); err != nil { // the first to touch all memory
		return bench.Measurement{}, err
	}
	var open int
	times := make([]float64, s.Steps)
	for i := range times {
		g := gates(i)
		d, err := timeStep(model, batch, g)
		if err != nil {
			return bench.Measurement{}, err
		}
		times[i] = d.Seconds() * 1e3
		open += g.Open()
	}
	m := bench.Measurement{
		System: "stochdepth", Mode: mode(s), DType: s.DType, Layers: s.Layers, Batch: s.Batch,
		DeathRate: s.DeathRate, Fixed: s.Fixed, Blocks: blocks, Open: float64(open) / float64(s.Steps),
		Steps: s.Steps, StepMS: bench.Median(times), LowMS: slices.Min(times), HighMS: slices.Max(times),
		CompileS: compile, PeakMB: peakMemory(),
	}
	kept := kernels.Loaded()
	if model, err = newModel(b, recipe); err != nil {
		return bench.Measurement{}, err
	}
	again, err := firstStep(model, batch)
	if kernels.Loaded() > kept {
		m.CachedS = again
	}
	return m, err
}

// newModel returns the recipe's network, ready for training steps.
func newModel(b compute.Backend, recipe runs.Recipe) (*training.Model, error) {
	m, err := training.NewModel(b, recipe, 10, dataset.Normalization{Mean: []float32{128, 128, 128}, Deviation: []float32{64, 64, 64}})
	if err != nil {
		return nil, err
	}
	return m, m.SetLearningRate(recipe.LearningRate)
}

// firstStep is by how many seconds a model's first step takes longer than a second one, both with no block open, so
// that little else than the compilation differs.
func firstStep(m *training.Model, batch *training.Batch) (float64, error) {
	closed := make(depth.Gates, len(m.Network.Survival))
	first, err := timeStep(m, batch, closed)
	if err != nil {
		return 0, err
	}
	second, err := timeStep(m, batch, closed)
	return (first - second).Seconds(), err
}

// timeStep takes one step and waits for its outcome.
func timeStep(m *training.Model, batch *training.Batch, open depth.Gates) (time.Duration, error) {
	batch.SetGates(open)
	start := time.Now()
	wait, err := m.Step(batch)
	if err == nil {
		_, err = wait()
	}
	return time.Since(start), err
}

func mode(s Spec) string {
	if s.Recompute {
		return s.Form + ", recomputed"
	}
	return s.Form
}

func randomBatch(size int) *training.Batch {
	rng := rand.New(rand.NewPCG(1, 1))
	batch := &training.Batch{Pixels: make([]byte, size*dataset.ImageBytes), Labels: make([]int32, size)}
	for i := range batch.Pixels {
		batch.Pixels[i] = byte(rng.Uint32())
	}
	for i := range batch.Labels {
		batch.Labels[i] = rng.Int32N(10)
	}
	return batch
}

// spread opens so many blocks, at equal distances.
func spread(open, blocks int) depth.Gates {
	gates := make(depth.Gates, blocks)
	for i := range open {
		gates[i*blocks/open] = true
	}
	return gates
}

// peakMemory is the most memory that this process has held, in MB, or 0 where the system does not tell. (That of
// getrusage begins with what the process held that started it.)
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

// Peak is what the device reaches at a product of two float32 matrices of 4096, the best of ten, in GFLOP/s.
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
