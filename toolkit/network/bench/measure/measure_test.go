package measure

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/bench"
)

func TestStep(t *testing.T) {
	b := backendtest.Open(t)
	spec := bench.Spec{Layers: 8, Batch: 4, DType: "float32", Form: "survivors", DeathRate: 0.5, Steps: 3, Evaluate: true}
	taken, err := Step(t.Context(), b, spec)
	require.NoError(t, err)
	m, err := bench.Case{Spec: spec}.Measurement(taken)
	require.NoError(t, err)
	require.Positive(t, m.LowMS)
	require.Positive(t, m.PeakMB)
	require.Positive(t, m.Evaluation)
	require.Equal(t, taken.Losses[0], taken.Losses[1], "the untimed steps do not change the weights")
	require.Equal(t, taken.Losses[2], taken.Losses[3])
	require.NotEqual(t, taken.Losses[0], taken.Losses[2])

	// The textbook form computes the same.
	spec.Form = "resnet"
	resnet, err := Step(t.Context(), b, spec)
	require.NoError(t, err)
	require.InDeltaSlice(t, taken.Losses, resnet.Losses, 1e-4)
	require.Equal(t, taken.EvaluationErrors, resnet.EvaluationErrors)
}

func TestWriteStart(t *testing.T) {
	b := backendtest.Open(t)
	spec := bench.Spec{Layers: 8, Batch: 2, DType: "float32", Form: "survivors", DeathRate: 0.5, Steps: 5}
	path := filepath.Join(t.TempDir(), "start.safetensors")
	require.NoError(t, WriteStart(b, spec, path))
	tensors, _, err := tensorfile.Read(path)
	require.NoError(t, err)
	shapes := map[string]string{}
	for _, tensor := range tensors {
		shapes[tensor.Name] = tensor.DType + fmt.Sprint(tensor.Shape)
		if tensor.Name == "gates" {
			gates, err := spec.Gates()
			require.NoError(t, err)
			for i, row := range gates {
				for l, open := range row {
					require.Equal(t, open, tensor.Data[i*len(row)+l] == 1)
				}
			}
		}
	}
	require.Equal(t, "U8[9 3]", shapes["gates"])
	require.Equal(t, "U8[2 32 32 3]", shapes["batch.pixels"])
	require.Equal(t, "I32[2]", shapes["batch.labels"])
	require.Equal(t, "F32[32 16 3 3]", shapes["blocks.1.conv1.weight"])
	require.Equal(t, "F32[3]", shapes["survival"])
}

// Networks with other weights, minibatches or gates begin with another file.
func TestStartFile(t *testing.T) {
	one := bench.Spec{Layers: 20, Batch: 32, DeathRate: 0.5}
	files := []string{startFile("", one)}
	for _, change := range []func(*bench.Spec){
		func(s *bench.Spec) { s.Network = "resnet50" }, func(s *bench.Spec) { s.ImageSize = 64 },
		func(s *bench.Spec) { s.Block = "bottleneck" }, func(s *bench.Spec) { s.Layers = 110 },
		func(s *bench.Spec) { s.Batch = 128 }, func(s *bench.Spec) { s.DeathRate = 0 },
	} {
		other := one
		change(&other)
		require.NotContains(t, files, startFile("", other))
		files = append(files, startFile("", other))
	}
}

// PyTorch and JAX compute the same losses as we do from the same weights, minibatch and gates, before and after an
// update, and classify alike, but for peers that compute closed blocks too: these move running averages that we leave. The
// test needs a Python with both in BENCH_PYTHON, such as that of make bench-peers.
//
// In bfloat16 each program rounds at other places, by up to 2⁻⁸ of a number. An activation that was rounded some 36 times, six
// in each block, is off by about √36 · 2⁻⁸/√3 = 1.4 %, and a mean over 64 pixels and 8 images by 0.06 %, as these errors are
// independent. The bound, 2⁻⁸ or 0.4 % of the loss, is six times as much; the largest difference seen was 0.08 %. The losses
// must differ from those in float32 too, in which all programs agree to 1e-6: otherwise bfloat16 was not used.
func TestPeersAgree(t *testing.T) {
	python := os.Getenv("BENCH_PYTHON")
	if python == "" {
		t.Skip("set BENCH_PYTHON to a Python with torch and jax to compare with them")
	}
	b := backendtest.Open(t)
	folder := t.TempDir()
	runner := bench.Runner{Python: python, Folder: folder, Device: backend.CPU}
	quick := []string{"torch eager", "torch eager channels_last", "jax cond", "jax scan", "jax mask"}
	compiled := []string{"torch compile", "torch compile channels_last"} // a minute for each, and more for those with masks
	masked := []string{"torch compile masked", "torch compile masked channels_last"}
	require.ElementsMatch(t, bench.PeerModes, slices.Concat(quick, compiled, masked))
	after := map[string]float64{"resnet50": 0.2} // where PyTorch's own two layouts differ by up to 0.1, and from its float64 by as much
	for name, plan := range map[string]bench.Plan{
		"paper":    {Layers: []int{14}, Peers: quick, Evaluate: true},
		"compiled": {Layers: []int{8}, Peers: compiled, Evaluate: true},
		"masked":   {Layers: []int{8}, Peers: masked, Evaluate: true},
		"bfloat16": {Layers: []int{14}, Peers: quick, DTypes: []string{"bfloat16"}},
		"bfloat16, compiled": {Layers: []int{8}, Peers: []string{"torch compile", "torch compile masked channels_last"},
			DTypes: []string{"bfloat16"}},
		"preactivation": {Blocks: []string{"preactivation"}, Layers: []int{14}, Peers: bench.PeerModes[:2], Evaluate: true},
		"bottleneck":    {Blocks: []string{"bottleneck"}, Layers: []int{20}, Peers: bench.PeerModes[:2], Evaluate: true},
		"transformer":   {Blocks: []string{"transformer"}, Layers: []int{3}, Peers: bench.PeerModes[:2], Evaluate: true},
		"resnet18":      {Networks: []string{"resnet18"}, ImageSizes: []int{64}, Peers: bench.PeerModes[:2]},
		"resnet50":      {Networks: []string{"resnet50"}, ImageSizes: []int{64}, Peers: bench.PeerModes[:2]},
	} {
		t.Run(name, func(t *testing.T) {
			plan.Batches, plan.Forms = []int{8}, []string{"survivors"}
			if len(plan.DTypes) == 0 {
				plan.DTypes = []string{"float32"}
			}
			plan.DeathRates, plan.Steps = []float64{0.5}, 2
			cases, err := plan.Cases()
			require.NoError(t, err)
			start := filepath.Join(folder, "start.safetensors")
			require.NoError(t, WriteStart(b, cases[0].Spec, start))
			ours, err := Step(t.Context(), b, cases[0].Spec)
			require.NoError(t, err)
			gates, err := cases[0].Gates()
			require.NoError(t, err)
			require.True(t, slices.ContainsFunc(gates[bench.Untimed:], func(row depth.Gates) bool {
				return row.Open() > 0 && row.Open() < len(row)
			}), "a step has open and closed blocks")
			inFloat32 := ours
			if spec := cases[0].Spec; spec.DType != "float32" {
				spec.DType = "float32"
				inFloat32, err = Step(t.Context(), b, spec)
				require.NoError(t, err)
			}
			for _, c := range cases[1:] {
				theirs, err := runner.Take(t.Context(), c, start)
				require.NoError(t, err)
				for i, loss := range theirs.Losses {
					t.Logf("%s: loss %.7f, ours %.7f, difference %.1e", c.Name(), loss, ours.Losses[i], math.Abs(loss-ours.Losses[i]))
				}
				if c.DType == "bfloat16" {
					rounded := 0.0
					for i, loss := range theirs.Losses {
						require.InEpsilon(t, ours.Losses[i], loss, 1.0/256, c.Name())
						rounded = max(rounded, math.Abs(loss-inFloat32.Losses[i]))
					}
					require.Greater(t, rounded, 1e-5, "%s: computed in float32", c.Name())
					continue
				}
				last := len(ours.Losses) - 1
				require.InDeltaSlice(t, ours.Losses[:last], theirs.Losses[:last], 1e-4, c.Name())
				require.InDelta(t, ours.Losses[last], theirs.Losses[last], cmp.Or(after[name], 1e-4), c.Name())
				if !c.Peer.Masks() {
					require.InDelta(t, ours.EvaluationErrors, theirs.EvaluationErrors, 0.02*bench.EvaluationImages, c.Name())
				}
				_, err = c.Measurement(theirs)
				require.NoError(t, err)
			}
		})
	}
}
