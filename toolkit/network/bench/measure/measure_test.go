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
		"paper":         {Layers: []int{14}, Peers: quick, Evaluate: true},
		"compiled":      {Layers: []int{8}, Peers: compiled, Evaluate: true},
		"masked":        {Layers: []int{8}, Peers: masked, Evaluate: true},
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
			for _, c := range cases[1:] {
				theirs, err := runner.Take(t.Context(), c, start)
				require.NoError(t, err)
				for i, loss := range theirs.Losses {
					t.Logf("%s: loss %.7f, ours %.7f, difference %.1e", c.Name(), loss, ours.Losses[i], math.Abs(loss-ours.Losses[i]))
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
