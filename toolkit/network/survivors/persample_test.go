package survivors_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors/byhand"
)

// imageGates are gates of a minibatch, an image a row.
type imageGates []depth.Gates

// imageGatePatterns are gates of all kinds for a minibatch: drawn ones, and edges.
func imageGatePatterns(survival depth.Survival, size int) map[string]imageGates {
	blocks, patterns := len(survival), make(map[string]imageGates)
	pattern := func(name string, open func(image, block int) bool) {
		gates := make(imageGates, size)
		for i := range gates {
			gates[i] = make(depth.Gates, blocks)
			for l := range gates[i] {
				gates[i][l] = open(i, l)
			}
		}
		patterns[name] = gates
	}
	for seed := range int64(2) {
		rng, drawn := depth.Rand(3, depth.GateDraws, seed), make(imageGates, size)
		for i := range drawn {
			drawn[i] = survival.Draw(rng)
		}
		patterns[fmt.Sprint("drawn ", seed)] = drawn
		pattern(fmt.Sprint("drawn, none of the first image ", seed), func(i, l int) bool { return i > 0 && drawn[i][l] })
		pattern(fmt.Sprint("drawn, some blocks of none ", seed), func(i, l int) bool { return l%3 != int(seed) && drawn[i][l] })
	}
	pattern("each block by one image", func(i, l int) bool { return i == l%size })
	pattern("last block by the last image alone", func(i, l int) bool { return l == blocks-1 && i == size-1 })
	pattern("all open", func(i, l int) bool { return true })
	pattern("all closed", func(i, l int) bool { return false })
	return patterns
}

func imageGatesOf(n *resnet.Network, g imageGates) *tensors.Tensor {
	var values []float64
	for _, image := range g {
		for _, open := range image {
			value := 0.0
			if open {
				value = 1
			}
			values = append(values, value)
		}
	}
	return residual.Tensor(n.ParameterDType(), values, len(g), len(g[0]))
}

// TestContractPerSample holds the engine to the textbook form with gates per sample, as TestContract does with gates per
// minibatch: in float64 and float32, by XLA and by kernels, for the paper's block and for others.
func TestContractPerSample(t *testing.T) {
	b := backendtest.Open(t)
	gpu := onGPU(b)
	for _, c := range []struct {
		block     string
		layers    int
		dtype     dtypes.DType
		inverted  bool
		batch     int // few in float32: each ReLU whose input is nearly 0 may round to the other side
		form      resnet.Form
		tolerance float64
	}{
		{"basic", 14, dtypes.Float64, false, 3, byhand.Form{GPU: gpu}, 1e-9},
		{"basic", 8, dtypes.Float64, true, 4, byhand.Form{Recompute: true, GPU: true}, 1e-9},
		{"basic", 8, dtypes.Float32, true, 4, byhand.Form{GPU: gpu}, 1e-4},
		{"basic", 14, dtypes.Float32, false, 3, byhand.Form{Recompute: true, GPU: gpu}, 1e-4},
		{"basic", 8, dtypes.Float32, false, 40, byhand.Form{GPU: gpu}, 1e-4},
		{"basic", 8, dtypes.Float64, true, 4, general{}, 1e-9},
		{"preactivation", 8, dtypes.Float64, true, 2, general{}, 1e-9},
		{"preactivation", 8, dtypes.Float32, true, 2, general{}, 1e-4},
		{"transformer", 3, dtypes.Float64, false, 3, general{}, 1e-9},
	} {
		t.Run(strings.ReplaceAll(fmt.Sprintf("%s, %s, %d layers, inverted %t, %d images, %T%+v", c.dtype, c.block, c.layers,
			c.inverted, c.batch, c.form, c.form), "/", "."), func(t *testing.T) {
			n := networkOf(t, c.block, c.layers, c.dtype)
			n.Inverted = c.inverted
			patterns := imageGatePatterns(n.Survival, c.batch)
			if c.batch > 4 { // what matters there are the sums
				patterns = map[string]imageGates{"drawn": patterns["drawn 0"],
					"each block by one image": patterns["each block by one image"]}
			}
			names := slices.Sorted(maps.Keys(patterns))
			want := textbookOutcomes(t, b, n, c.batch, 1, patterns, imageGatesOf)
			replaced := proxy.Replaced()
			for client, device := range clients(t, b, n, c.form, c.batch) {
				images, labels := batch(n, c.batch) // tensors stay with their client
				engine := step(t, device, n, c.form)
				for _, name := range names {
					gates := patterns[name]
					compare(t, name+client, gates[len(gates)-1], c.tolerance, want[name], engine(images, imageGatesOf(n, gates), labels))
				}
			}
			if _, ok := c.form.(byhand.Form); ok && c.dtype == dtypes.Float32 {
				requireReplaced(t, b, n, replaced)
			}
		})
	}
}
