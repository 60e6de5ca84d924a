package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCases(t *testing.T) {
	plan := Plan{Layers: []int{20}, Batches: []int{32, 128}, DTypes: []string{"float32"}, Forms: []string{"survivors"},
		DeathRates: []float64{0, 0.5}, Peers: []string{"torch eager channels_last", "jax scan"}, Evaluate: true, Steps: 8}
	cases, err := plan.Cases()
	require.NoError(t, err)
	var names []string
	for _, c := range cases {
		names = append(names, c.Name())
		require.Equal(t, c.DeathRate == 0, c.Evaluate, "the evaluation is timed once")
	}
	for i, batch := range []int{32, 128} {
		for k, program := range []string{"stochdepth survivors", "pytorch eager channels_last", "jax scan"} {
			for l, rate := range []string{"0", "0.5"} {
				name := fmt.Sprintf("%s, 20 layers, minibatch of %d, float32, death rate %s", program, batch, rate)
				require.Equal(t, name, names[6*i+2*k+l])
			}
		}
	}
	require.Len(t, names, 12)

	plan = Plan{Layers: []int{20}, Batches: []int{128}, DTypes: []string{"float32"}, Forms: []string{"survivors", "resnet"},
		DeathRates: []float64{0.5}, Open: true, Recompute: true, Steps: 8}
	cases, err = plan.Cases()
	require.NoError(t, err)
	var modes []string
	var open []int
	for _, c := range cases {
		if _, mode := c.program(); !c.Fixed {
			modes = append(modes, mode)
		} else if c.Form == "survivors" {
			open = append(open, c.Open)
		}
	}
	require.Equal(t, []string{"survivors", "survivors, recomputed", "resnet"}, modes)
	require.Equal(t, []int{0, 2, 5, 7, 9}, open)

	plan = Plan{Blocks: []string{"basic", "bottleneck", "transformer"}, Residual: []int{201}, Batches: []int{8},
		DTypes: []string{"float32"}, Forms: []string{"survivors"}, DeathRates: []float64{0.5}, Steps: 1}
	cases, err = plan.Cases()
	require.NoError(t, err)
	var layers []int
	for _, c := range cases {
		require.Equal(t, 201, c.blocks())
		layers = append(layers, c.Layers)
	}
	require.Equal(t, []int{404, 605, 201}, layers)
	plan.Residual = []int{200}
	_, err = plan.Cases()
	require.ErrorContains(t, err, "no network has 200 blocks of the kind basic: take a multiple of 3")

	plan.Blocks, plan.Residual, plan.Networks, plan.ImageSizes = nil, nil, []string{"resnet50", "resnet18"}, []int{32, 64}
	plan.Peers = []string{"torch eager channels_last", "jax scan"}
	cases, err = plan.Cases()
	require.NoError(t, err)
	names = nil
	for _, c := range cases {
		names = append(names, c.Name())
	}
	for i, network := range []string{"resnet50, 50 layers", "resnet50, 50 layers, 64x64 pixels", "resnet18, 18 layers",
		"resnet18, 18 layers, 64x64 pixels"} {
		for k, program := range []string{"stochdepth survivors", "pytorch eager channels_last"} { // JAX's has the paper's networks
			require.Equal(t, fmt.Sprintf("%s, %s, minibatch of 8, float32, death rate 0.5", program, network), names[2*i+k])
		}
	}
	require.Len(t, names, 8)
	require.Equal(t, 16, cases[0].blocks())
	plan.Networks = []string{"resnet51"}
	_, err = plan.Cases()
	require.ErrorContains(t, err, `network "resnet51" is unknown (did you mean "resnet50"?)`)

	plan.Networks, plan.ImageSizes, plan.Layers = nil, nil, []int{20}
	plan.Peers = []string{"torch fast"}
	_, err = plan.Cases()
	require.ErrorContains(t, err, `--peer "torch fast" is unknown: say one of torch eager, `)
	plan.Peers, plan.Steps = nil, 0
	_, err = plan.Cases()
	require.ErrorContains(t, err, "the number of steps is 0")
}

// Measurements of other networks and of images of other sizes are not of the same network.
func TestSameNetwork(t *testing.T) {
	m := Measurement{Layers: 50, Batch: 32, Network: "resnet50", ImageSize: 64, Loss: 2}
	for _, change := range []func(o *Measurement){func(o *Measurement) { o.ImageSize = 0 }, func(o *Measurement) { o.Network = "" }} {
		other := m
		other.Loss = 3
		require.Error(t, sameLoss([]Measurement{m}, other))
		change(&other)
		require.NoError(t, sameLoss([]Measurement{m}, other))
	}
}

// All programs get the same gates. The gates of a longer run begin with those of a shorter one, and repeat.
func TestGates(t *testing.T) {
	spec := Spec{Layers: 20, Batch: 1, DType: "float32", Form: "survivors", DeathRate: 0.5, Steps: 24}
	gates, err := spec.Gates()
	require.NoError(t, err)
	require.Len(t, gates, Untimed+24)
	for i, open := range []int{0, 0, 9, 9} {
		require.Equal(t, open, gates[i].Open())
	}
	require.Equal(t, gates[Untimed:Untimed+Draws], gates[Untimed+Draws:Untimed+2*Draws])
	require.NotEqual(t, gates[Untimed], gates[Untimed+1])
	total := 0
	for _, g := range gates[Untimed : Untimed+Draws] {
		total += g.Open()
	}
	require.Equal(t, 50, total, "6.25 of 9 on average, as in the records")
	spec.Steps = 8
	shorter, err := spec.Gates()
	require.NoError(t, err)
	require.Equal(t, gates[:Untimed+8], shorter)

	spec.Fixed, spec.Open = true, 5
	gates, err = spec.Gates()
	require.NoError(t, err)
	require.Equal(t, 5, gates[Untimed].Open())
}

func TestMeasurement(t *testing.T) {
	c := Case{Spec: Spec{Layers: 8, Batch: 50, DType: "float32", Form: "survivors", Steps: 3, Fixed: true, Open: 2, Evaluate: true}}
	taken := Taken{StepsMS: []float64{1010, 10, 130, 30, 24, 20, 40}, Losses: []float64{7, 7, 2.5, 2.5, 3, 4},
		PeakMB: 100, CachedS: 0.1, EvaluationsMS: []float64{900, 100, 300, 200}}
	m, err := c.Measurement(taken)
	require.NoError(t, err)
	require.Equal(t, Measurement{System: "stochdepth", Mode: "survivors", DType: "float32", Layers: 8, Batch: 50, Fixed: true,
		Blocks: 3, Open: 2, Steps: 3, StepMS: 24, BlockMS: 12, LowMS: 20, HighMS: 40, CompileS: 1.1, CachedS: 0.1, PeakMB: 100,
		Loss: 2.5, Evaluation: 2500}, m)

	c.Fixed, c.DeathRate = false, 0.9
	m, err = c.Measurement(taken)
	require.NoError(t, err)
	gates, err := c.Gates()
	require.NoError(t, err)
	var perBlock []float64
	for i, g := range gates[Untimed:] {
		if g.Open() > 0 {
			perBlock = append(perBlock, taken.StepsMS[Untimed+i]/float64(g.Open()))
		}
	}
	require.Less(t, len(perBlock), 3, "a step without open blocks has no time per open block")
	require.Equal(t, Median(perBlock), m.BlockMS)

	taken.EvaluationsMS = nil
	_, err = c.Measurement(taken)
	require.ErrorContains(t, err, "reported the times of 0 evaluations instead of 4")
	taken.StepsMS = taken.StepsMS[1:]
	_, err = c.Measurement(taken)
	require.ErrorContains(t, err, "reported 6 times and 6 losses for 7 steps")
}

func TestTakeTurns(t *testing.T) {
	cases := []Case{{Spec: Spec{Layers: 8, Batch: 4, DType: "float32", Form: "survivors"}},
		{Peer: &Peer{"jax", "scan"}, Spec: Spec{Layers: 8, Batch: 4, DType: "float32"}}}
	var order []string
	loss := map[string]float64{"stochdepth": 2.5, "jax": 2.5002}
	take := func(_ context.Context, c Case) (Measurement, error) {
		system, mode := c.program()
		order = append(order, system)
		ms := float64(len(order))
		return Measurement{System: system, Mode: mode, DType: c.DType, Layers: c.Layers, Batch: c.Batch, Steps: 2,
			StepMS: ms, BlockMS: ms, LowMS: ms, Loss: loss[system]}, nil
	}
	var reported []string
	report := func(done, total int, c Case, m Measurement) {
		reported = append(reported, fmt.Sprintf("%d/%d %s %g", done, total, m.System, m.StepMS))
	}
	joined, err := TakeTurns(t.Context(), cases, 3, take, report)
	require.NoError(t, err)
	require.Equal(t, []string{"stochdepth", "jax", "stochdepth", "jax", "stochdepth", "jax"}, order)
	require.Equal(t, []string{"1/6 stochdepth 1", "2/6 jax 2", "3/6 stochdepth 3", "4/6 jax 4", "5/6 stochdepth 5", "6/6 jax 6"},
		reported)
	require.Equal(t, []float64{3, 4}, []float64{joined[0].StepMS, joined[1].StepMS})
	require.Equal(t, []float64{3, 4}, []float64{joined[0].BlockMS, joined[1].BlockMS})
	require.Equal(t, 6, joined[0].Steps)

	// A different loss means a different network.
	loss["jax"] = 2.51
	_, err = TakeTurns(t.Context(), cases, 1, take, report)
	require.ErrorContains(t, err, "jax scan, 8 layers, minibatch of 4, float32, death rate 0: "+
		"the loss of the first minibatch is 2.51, but 2.5 by stochdepth survivors")
	cases[1].DType = "tf32" // not compared with float32
	_, err = TakeTurns(t.Context(), cases, 1, take, report)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = TakeTurns(ctx, cases, 1, take, report)
	require.True(t, errors.Is(err, context.Canceled))
}

// Peers are timed in the same precision as our own network.
func TestPeersHaveOurPrecision(t *testing.T) {
	for _, peer := range []string{"torch compile masked channels_last", "jax mask"} {
		plan := Plan{Layers: []int{20}, Batches: []int{8}, DTypes: []string{"bfloat16", "tf32", "float32"},
			Forms: []string{"survivors"}, DeathRates: []float64{0.5}, Peers: []string{peer}, Steps: 1}
		cases, err := plan.Cases()
		require.NoError(t, err)
		var types []string
		for _, c := range cases {
			if c.Peer != nil {
				types = append(types, c.DType)
				require.True(t, c.Peer.Masks())
			}
		}
		require.Equal(t, []string{"float32", "tf32", "bfloat16"}, types)
	}
	require.Equal(t, []string{"bfloat16"}, peersDTypes([]string{"bfloat16"}))
	require.Equal(t, []string{"float32"}, peersDTypes([]string{"float64"}))

	require.Contains(t, peerEnvironment("float32"), "NVIDIA_TF32_OVERRIDE=0")
	require.Equal(t, []string{"env", "-u", "NVIDIA_TF32_OVERRIDE"}, peerEnvironment("tf32")[:3])
	require.NotContains(t, peerEnvironment("tf32"), "NVIDIA_TF32_OVERRIDE=0")
}

// A peer's program gets the question in JSON and answers in JSON, in the environment of a peer; what it writes to standard
// error is in the error.
func TestPeerIsAsked(t *testing.T) {
	folder := t.TempDir()
	python := filepath.Join(folder, "python")
	script := `#!/bin/sh
cat > "$(dirname "$1")/asked"
echo "$1 $NVIDIA_TF32_OVERRIDE ${GLIBC_TUNABLES:+tuned}" > "$(dirname "$1")/environment"
grep -q "torch" "$1" || { echo "No module named jax" >&2; exit 1; }
echo '{"steps_ms": [1, 2], "losses": [3], "version": "9"}'
`
	require.NoError(t, os.WriteFile(python, []byte(script), 0o755))
	peer, err := ParsePeer("torch eager channels_last")
	require.NoError(t, err)
	c := Case{Peer: peer, Spec: Spec{Layers: 8, Batch: 4, DType: "float32", Form: "survivors", Steps: 1, Evaluate: true}}
	r := Runner{Python: python, Folder: folder, Device: "cpu"}
	taken, err := r.Take(t.Context(), c, "start.safetensors")
	require.NoError(t, err)
	require.Equal(t, Taken{StepsMS: []float64{1, 2}, Losses: []float64{3}, Version: "9"}, taken)
	environment, err := os.ReadFile(filepath.Join(folder, "environment"))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(folder, "pytorch_steps.py")+" 0 tuned\n", string(environment))
	asked, err := os.ReadFile(filepath.Join(folder, "asked"))
	require.NoError(t, err)
	require.JSONEq(t, `{"start": "start.safetensors", "untimed": 4, "losses": 6, "mode": "eager channels_last", "device": "cpu",
		"dtype": "float32", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.0001, "evaluation_images": 500, "evaluations": 4}`,
		string(asked))

	c.Peer = &Peer{System: "jax", Mode: "scan"}
	_, err = r.Take(t.Context(), c, "start.safetensors")
	require.ErrorContains(t, err, "No module named jax")
	require.ErrorContains(t, err, "make bench-peers")
}

// A network for ImageNet is timed at 0.1 for 256 images, whatever rate a recipe has for it; the paper's at 0.1.
func TestLearningRateOfSpecs(t *testing.T) {
	for network, want := range map[string]float64{"": 0.1, "resnet18": 0.025} {
		recipe, err := Spec{Network: network, Layers: 20, Batch: 64}.Recipe()
		require.NoError(t, err)
		require.Equal(t, want, recipe.LearningRate)
	}
}

// The peers' programs read all keys of the question that package bench writes, and write all keys of the answer that it
// reads.
func TestProgramsSpeakTheProtocol(t *testing.T) {
	keys := func(v any) (keys []string) {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		var m map[string]any
		require.NoError(t, json.Unmarshal(data, &m))
		for key := range m {
			keys = append(keys, key)
		}
		return keys
	}
	for _, system := range []string{"pytorch", "jax"} {
		source, err := programs.ReadFile("peers/" + system + "_steps.py")
		require.NoError(t, err)
		for _, key := range keys(question{}) {
			require.Contains(t, string(source), `ask["`+key+`"]`, system)
		}
		for _, key := range keys(Taken{Version: "1"}) {
			require.Regexp(t, `"`+key+`"|`+key+"=", string(source), system)
		}
	}
}
