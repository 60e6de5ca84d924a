package network

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/runs/recipes"
)

// takeStep takes one step and waits for its outcome.
func takeStep(t testing.TB, m *Model, b *Batch) Outcome {
	t.Helper()
	wait, err := m.Step(b)
	require.NoError(t, err)
	outcome, err := wait()
	require.NoError(t, err)
	return outcome
}

// evaluate evaluates a model on a part of the data.
func evaluate(t *testing.T, m *Model, part dataset.View) Score {
	t.Helper()
	score, err := m.Evaluate(t.Context(), part)
	require.NoError(t, err)
	return score
}

// requireNear checks that two networks' variables agree to a relative tolerance, and returns the largest difference.
func requireNear(t *testing.T, want, got map[string][]float64, tolerance float64) (largest float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for path, values := range want {
		require.Len(t, got[path], len(values), path)
		for i, w := range values {
			d := math.Abs(w-got[path][i]) / max(1, math.Abs(w))
			require.LessOrEqual(t, d, tolerance, "%s[%d]", path, i)
			largest = max(largest, d)
		}
	}
	return largest
}

// steps takes the first steps of a recipe on some devices and returns their outcomes, and then the variables in float64.
func steps(t *testing.T, r recipes.Recipe, devices int, count int64) ([]Outcome, map[string][]float64) {
	t.Helper()
	m, err := Open(backendtest.Open(t), r, "")
	require.NoError(t, err)
	require.NoError(t, m.UseDevices(devices))
	require.NoError(t, m.SetLearningRate(r.LearningRate))
	batches := m.Batches()
	var outcomes []Outcome
	for step := range count {
		outcomes = append(outcomes, takeStep(t, m.Model, batches.At(step)))
	}
	variables := make(map[string][]float64)
	for v := range m.Store.IterVariables() {
		if v.Shape().DType == dtypes.Float64 {
			value, err := v.Value()
			require.NoError(t, err)
			variables[v.Path()] = tensors.MustCopyFlatData[float64](value)
		}
	}
	return outcomes, variables
}

// Steps whose images are on the device compute the same, to the last bit.
func TestKeepOnDevice(t *testing.T) {
	r := tiny(t)
	r.BatchSize, r.TrainImages, r.Augment, r.CutMix = 16, 56, "shift", 1 // the last minibatch of an epoch has 8
	var outcomes [2][]Outcome
	for kept := range outcomes {
		m, err := Open(backendtest.Open(t), r, "")
		require.NoError(t, err)
		require.NoError(t, m.SetLearningRate(r.LearningRate))
		if kept == 1 {
			require.NoError(t, m.KeepOnDevice(m.Data.Train))
		}
		batches := m.Batches()
		for step := range int64(6) {
			batch := batches.At(step)
			if kept == 1 {
				batch.Pixels = make([]byte, len(batch.Pixels)) // not used
			}
			outcomes[kept] = append(outcomes[kept], takeStep(t, m.Model, batch))
		}
	}
	require.Equal(t, outcomes[0], outcomes[1])
}

// On several devices the losses of many steps are those of one device, to 1e-9 in float64 and 1e-4 in float32. In float64 the
// same holds for the parameters, velocities and averages after them; in float32 rounding grows in training, and faster at a
// high learning rate.
func TestDevices(t *testing.T) {
	for _, c := range []struct {
		form, dtype, gatesPer string
		devices               int
		steps                 int64
		rate, tolerance       float64
	}{
		{"resnet", "float64", "minibatch", 2, 3, 0.1, 1e-9},
		{"resnet", "float32", "sample", 4, 5, 0.01, 1e-4},
		{"survivors", "float64", "minibatch", 2, 20, 0.1, 1e-9},
		{"survivors", "float32", "minibatch", 4, 20, 0.01, 1e-4},
		{"survivors", "float64", "sample", 2, 3, 0.1, 1e-9},
	} {
		t.Run(fmt.Sprintf("%s %s by %s on %d", c.form, c.dtype, c.gatesPer, c.devices), func(t *testing.T) {
			r := tiny(t)
			r.Form, r.DType, r.GatesPer, r.BatchSize, r.TrainImages = c.form, c.dtype, c.gatesPer, 32, 128
			if r.LearningRate = c.rate; c.dtype == "float64" { // whose convolutions are slow
				r.BatchSize, r.TrainImages = 8, 32
			}
			one, wantVariables := steps(t, r, 1, c.steps)
			replaced := proxy.Replaced()
			several, gotVariables := steps(t, r, c.devices, c.steps)
			require.Equal(t, replaced, proxy.Replaced(), "XLA cannot divide the calls of kernels")
			for step, want := range one {
				got := several[step]
				t.Logf("step %2d: loss on one device %.12f, on %d %.12f (%+.1e)",
					step+1, want.Loss, c.devices, got.Loss, got.Loss-want.Loss)
				require.InDelta(t, want.Loss, got.Loss, c.tolerance)
				require.InDelta(t, want.Gradient, got.Gradient, c.tolerance)
			}
			largest := requireNear(t, wantVariables, gotVariables, c.tolerance)
			t.Logf("largest difference of %d variables in float64 after %d steps: %.1e", len(wantVariables), c.steps, largest)
		})
	}
}

// The same holds for a recipe with all that is not the paper's, whose mixed images come from both devices.
func TestDevicesOfAModernRecipe(t *testing.T) {
	r := tiny(t)
	r.Form, r.DType, r.BatchSize, r.TrainImages, r.ImageSize = "resnet", "float64", 8, 32, 8
	r.Optimizer, r.LearningRate, r.ClipGradient, r.EMA, r.LabelSmoothing, r.Mixup, r.CutMix = "adamw", 0.003, 1, 0.9, 0.1, 0.8, 1
	one, want := steps(t, r, 1, 6)
	two, got := steps(t, r, 2, 6)
	for step := range one {
		require.InDelta(t, one[step].Loss, two[step].Loss, 1e-9)
		require.Equal(t, one[step].Wrong, two[step].Wrong)
	}
	t.Logf("largest difference of %d variables: %.1e", len(want), requireNear(t, want, got, 1e-9))
}

// In the program that XLA makes from a step the devices exchange only sums (all-reduce), so that each computes only its
// images, 16 of 32.
func TestDevicesExchange(t *testing.T) {
	if form := os.Getenv("STOCHDEPTH_TEST_FORM"); form != "" {
		r := tiny(t)
		r.Form, r.BatchSize, r.TrainImages, r.Augment, r.ResizeSize = form, 32, 32, "crop", 40
		steps(t, r, 2, 1)
		return
	}
	for _, form := range []string{"resnet", "survivors"} {
		dump := t.TempDir()
		test := exec.Command(os.Args[0], "-test.run", "^TestDevicesExchange$")
		test.Env = append(os.Environ(), "STOCHDEPTH_TEST_FORM="+form, "XLA_FLAGS=--xla_dump_hlo_as_text --xla_dump_to="+dump)
		out, err := test.CombinedOutput()
		require.NoError(t, err, "%s", out)
		programs, err := filepath.Glob(filepath.Join(dump, "*Exec*after_optimizations.txt"))
		require.NoError(t, err)
		require.Len(t, programs, 1)
		text, err := os.ReadFile(programs[0])
		require.NoError(t, err)
		program := string(text)
		require.Contains(t, program, "num_partitions=2")
		require.Contains(t, program, " all-reduce(")
		require.NotContains(t, program, " all-gather(", form)
		require.Contains(t, program, "f32[16,32,32,16]{3,2,1,0} convolution(")
		require.NotContains(t, program, "f32[32,32,32,16]{3,2,1,0} convolution(")
	}
}
