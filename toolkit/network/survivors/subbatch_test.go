package survivors_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors"
	"stochdepth/toolkit/network/survivors/byhand"
)

// subBatchPatterns are gates of sub-batches for a minibatch: drawn ones, and the first or the last images in all blocks.
func subBatchPatterns(survival depth.Survival, size int) map[string]imageGates {
	patterns := make(map[string]imageGates)
	for seed := range int64(2) {
		patterns[fmt.Sprint("drawn ", seed)] = survival.DrawImages(depth.Rand(3, depth.GateDraws, seed), size)
	}
	first, last := make(imageGates, size), make(imageGates, size)
	images := survival.Images(size)
	for i := range size {
		first[i], last[i] = make(depth.Gates, len(survival)), make(depth.Gates, len(survival))
		for l, n := range images {
			first[i][l], last[i][l] = i < n, i >= size-n
		}
	}
	patterns["first images"], patterns["last images"] = first, last
	return patterns
}

// TestContractOfSubBatches holds the engine, which computes a block for its images only, to the textbook form, which computes
// it for all and masks: with blocks of all images, several loops in a stack, and a shortcut with parameters.
func TestContractOfSubBatches(t *testing.T) {
	b := backendtest.Open(t)
	both := []dtypes.DType{dtypes.Float64, dtypes.Float32}
	for _, c := range []struct {
		block    string
		groups   []int
		side     int
		batch    int // few in float32: each ReLU whose input is nearly 0 may round to the other side
		dtypes   []dtypes.DType
		form     resnet.Form
		inverted bool
	}{
		{depth.Basic, []int{3, 3, 3}, 16, 16, both[:1], general{}, false},
		{depth.Basic, []int{2, 2, 2}, 16, 3, both, byhand.Form{Recompute: true}, true},
		{depth.Basic, []int{1, 1, 1}, 16, 17, both[1:], byhand.Form{Kernels: true}, true},
		{depth.Preactivation, []int{2, 2, 2}, 16, 17, both, byhand.Form{}, true},
		{depth.Bottleneck, []int{2, 2, 2}, 16, 16, both, byhand.Form{}, false},
		{depth.OriginalBottleneck, []int{2, 2}, 36, 3, both, byhand.Form{GPU: true}, true},
		{depth.Transformer, []int{5}, 16, 17, both, byhand.Form{}, true},
		{depth.Transformer, []int{2}, 16, 1, both[1:], general{survivors.Form{Recompute: true}}, false},
	} {
		for _, dtype := range c.dtypes {
			t.Run(fmt.Sprint(c.block, c.groups, c.batch, dtype), func(t *testing.T) {
				n := groupsOf(t, square(c.side), c.block, c.groups, dtype)
				n.SubBatches, n.Inverted, n.Patch = true, c.inverted, 4
				if c.side == 36 {
					n.ImageNetStem, n.Projection = true, true
				}
				tolerance := 1e-9
				if dtype == dtypes.Float32 {
					tolerance = 1e-4
				}
				images, labels := batch(n, c.batch)
				patterns, engine := subBatchPatterns(n.Survival, c.batch), step(t, b, n, c.form)
				want := textbookOutcomes(t, b, n, c.batch, 1, patterns, imageGatesOf)
				for _, name := range slices.Sorted(maps.Keys(patterns)) {
					gates := patterns[name]
					compare(t, name, gates[len(gates)-1], tolerance, want[name], engine(images, imageGatesOf(n, gates), labels))
				}
			})
		}
	}
}

// In the program of a step all products of a block are those of its images: 12 or 18 of 24.
func TestSubBatchesAreComputedAlone(t *testing.T) {
	b := backendtest.Open(t)
	if proxy.Processor(b.(*xla.Backend).PluginName()) == "" {
		t.Skip("the program's text cannot be had without kernels")
	}
	var program string
	proxy.Watch(func(text string) (compile bool) {
		if !strings.Contains(text, "stablehlo.while") {
			return true
		}
		program = text
		return false
	})
	defer proxy.Watch(nil)
	n := groupsOf(t, rgb, depth.Transformer, []int{4}, dtypes.Float32)
	n.SubBatches, n.Survival = true, depth.Survival{0.75, 0.75, 0.5, 0.5}
	store := model.NewStore()
	require.NoError(t, n.Initialize(store, 7))
	_, err := model.MustNewExec(b, store, func(scope *model.Scope, images, gates, labels *Node) []*Node {
		scope.Store().SetTraining(images.Graph(), true)
		return scope.BuildTrainableVariablesGradientsGraph(crossEntropy(n.ForwardIn(byhand.Form{}, scope, images, gates), labels))
	}).Compile(shapes.Make(dtypes.Float32, rgb.Batch(24)...), shapes.Make(dtypes.Float32, 24, 4), shapes.Make(dtypes.Int32, 24))
	require.Error(t, err)
	require.Equal(t, 2*2, strings.Count(program, "stablehlo.while"), "a loop for each size, forward and backward")
	products := make(map[int]int) // by their images
	for _, m := range regexp.MustCompile(`(?s)stablehlo\.dot_general".*?: \(tensor<(\d+)x`).FindAllStringSubmatch(program, -1) {
		rows, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		const tokens = 64
		if rows%tokens == 0 {
			rows /= tokens
		}
		products[rows]++
	}
	require.Equal(t, map[int]int{12: 84, 18: 84, 4 * 12: 3, 4 * 18: 3, 24: 3 + 3}, products,
		"all images have those of the stem and the linear layer; the sums of a softmax's rows are products too, in four heads")
}
