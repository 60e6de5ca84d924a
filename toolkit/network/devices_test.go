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

	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/runs/recipes"
)

// steps takes steps of a recipe on some devices and returns their outcomes and the variables in float64 after them.
func steps(t *testing.T, r recipes.Recipe, devices int, count int64) ([]Outcome, map[string][]float64) {
	t.Helper()
	m, err := Open(backendtest.Open(t), r, "")
	require.NoError(t, err)
	require.NoError(t, m.UseDevices(devices))
	require.NoError(t, m.SetLearningRate(r.LearningRate))
	batches := m.Batches()
	var outcomes []Outcome
	for step := range count {
		wait, err := m.Step(batches.At(step))
		require.NoError(t, err)
		outcome, err := wait()
		require.NoError(t, err)
		outcomes = append(outcomes, outcome)
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

// Steps whose images lie on the device compute the same, to the last bit.
func TestKeepOnDevice(t *testing.T) {
	r := tiny(t)
	r.BatchSize, r.TrainImages, r.Augment = 16, 56, true // the last minibatch of an epoch has 8
	var losses [2][]Outcome
	for kept := range losses {
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
			wait, err := m.Step(batch)
			require.NoError(t, err)
			outcome, err := wait()
			require.NoError(t, err)
			losses[kept] = append(losses[kept], outcome)
		}
	}
	require.Equal(t, losses[0], losses[1])
}

// On several devices the losses of many steps are those of one device, to 1e-9 in float64 and 1e-4 in float32. In
// float64 so are the parameters, velocities and averages after them; in float32 training makes rounding grow, and
// sooner at a high learning rate.
func TestDevices(t *testing.T) {
	for _, c := range []struct {
		form, dtype, gatesPer string
		devices               int
		steps                 int64
		rate, tolerance       float64
	}{
		{"resnet", "float64", "minibatch", 2, 5, 0.1, 1e-9},
		{"resnet", "float32", "minibatch", 2, 20, 0.01, 1e-4},
		{"resnet", "float32", "sample", 4, 5, 0.01, 1e-4},
		{"survivors", "float64", "minibatch", 2, 20, 0.1, 1e-9},
		{"survivors", "float32", "minibatch", 2, 20, 0.01, 1e-4},
		{"survivors", "float32", "minibatch", 4, 5, 0.01, 1e-4},
		{"survivors", "float64", "sample", 2, 5, 0.1, 1e-9},
	} {
		t.Run(fmt.Sprintf("%s %s by %s on %d", c.form, c.dtype, c.gatesPer, c.devices), func(t *testing.T) {
			r := tiny(t)
			r.Form, r.DType, r.GatesPer, r.BatchSize, r.TrainImages = c.form, c.dtype, c.gatesPer, 32, 128
			r.LearningRate = c.rate
			one, wantVariables := steps(t, r, 1, c.steps)
			replaced := proxy.Replaced()
			several, gotVariables := steps(t, r, c.devices, c.steps)
			require.Equal(t, replaced, proxy.Replaced(), "XLA cannot divide the calls of kernels")
			for step, want := range one {
				got := several[step]
				t.Logf("step %2d: loss on one device %.12f, on %d %.12f (%+.1e)", step+1, want.Loss, c.devices, got.Loss, got.Loss-want.Loss)
				require.InDelta(t, want.Loss, got.Loss, c.tolerance)
				require.InDelta(t, want.Gradient, got.Gradient, c.tolerance)
			}
			require.Len(t, gotVariables, len(wantVariables))
			var most float64
			for path, want := range wantVariables {
				require.Len(t, gotVariables[path], len(want), path)
				for i, w := range want {
					d := math.Abs(w-gotVariables[path][i]) / max(1, math.Abs(w))
					require.LessOrEqual(t, d, c.tolerance, "%s[%d]", path, i)
					most = max(most, d)
				}
			}
			t.Logf("largest difference of %d variables in float64 after %d steps: %.1e", len(wantVariables), c.steps, most)
		})
	}
}

// What the devices exchange, by the program that XLA makes of a step: sums alone (all-reduce), so that each computes its
// images alone, 16 of 32.
func TestDevicesExchange(t *testing.T) {
	if form := os.Getenv("STOCHDEPTH_TEST_FORM"); form != "" {
		r := tiny(t)
		r.Form, r.BatchSize, r.TrainImages = form, 32, 32
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
