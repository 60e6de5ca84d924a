package survivors_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors"
	"stochdepth/toolkit/network/survivors/byhand"
)

// general is the engine with GoMLX's own gradients for all blocks, the paper's too.
type general struct{ survivors.Form }

func (general) Stem(n *resnet.Network, scope *model.Scope, images *Node) *Node {
	return n.Stem(scope, images, nil)
}

// squeezed is the paper's block with squeeze-and-excitation (Hu et al. 2018): one's own block.
type squeezed struct{ resnet.Basic }

func (s squeezed) Parameters() []residual.Parameter {
	return append(s.Basic.Parameters(),
		residual.Parameter{Name: "squeeze", Dims: []int{s.Out, s.Out / 4}, Start: residual.Normal(0.3)},
		residual.Parameter{Name: "excite", Dims: []int{s.Out / 4, s.Out}, Start: residual.Normal(0.3)})
}

func (s squeezed) Branch(b *residual.Branch, x *Node) *Node {
	f := s.Basic.Branch(b, x)
	each := Dot(ReduceMean(f, 1, 2), ConvertDType(b.Value("squeeze"), f.DType())).Product()
	each = Sigmoid(Dot(resnet.Relu(each), ConvertDType(b.Value("excite"), f.DType())).Product())
	return Mul(f, Reshape(each, f.Shape().Dimensions[0], 1, 1, s.Out))
}

// TestContractOfAnyBlock holds the engine to the textbook form, as TestContract does, for all kinds of blocks and one's
// own, whose gradients are GoMLX's, or GoMLX's except for batch normalisation's.
func TestContractOfAnyBlock(t *testing.T) {
	require.NoError(t, resnet.Register("squeezed", func(s resnet.Shape) residual.Block { return squeezed{resnet.Basic{Shape: s}} }))
	b := backendtest.Open(t)
	for _, c := range []struct {
		block    string
		groups   []int
		form     resnet.Form
		inverted bool
		batch    int // few: each ReLU whose input is nearly 0 may round to the other side in float32
	}{
		{"basic", []int{2, 2, 2}, general{}, false, 3}, {"preactivation", []int{3, 2}, byhand.Form{}, true, 3},
		{"preactivation", []int{3, 2}, general{}, true, 3}, {"bottleneck", []int{2, 2}, byhand.Form{}, false, 2},
		{"transformer", []int{3}, byhand.Form{}, true, 3}, {"squeezed", []int{2, 1}, byhand.Form{Recompute: true}, true, 3},
	} {
		for dtype, tolerance := range map[dtypes.DType]float64{dtypes.Float64: 1e-9, dtypes.Float32: 1e-4} {
			t.Run(fmt.Sprintf("%s %v %T %s", c.block, c.groups, c.form, dtype), func(t *testing.T) {
				n := groupsOf(t, rgb, c.block, c.groups, dtype)
				n.Inverted = c.inverted
				if c.block == depth.Transformer { // GELU by erf; the encoder called small is in TestContractOfSubBatches
					n.Encoder, _ = resnet.EncoderNamed("vit-tiny")
				}
				images, labels := batch(n, c.batch)
				patterns, engine := gatePatterns(n.Survival), step(t, b, n, c.form)
				want := textbookOutcomes(t, b, n, c.batch, 1, patterns, gatesOf)
				for _, name := range slices.Sorted(maps.Keys(patterns)) {
					gates := patterns[name]
					compare(t, fmt.Sprintf("%-13s %v, %s, inverted %-5t, %-14s", c.block, c.groups, dtype, c.inverted, name), gates,
						tolerance, want[name], engine(images, gatesOf(n, gates), labels))
				}
			})
		}
	}
}

// TestContractForImageNet holds the engine to the textbook form where the stem pools, the shortcut has parameters of its own,
// which learn in closed blocks too, there are as many groups as one likes, and sides are odd: 9 and 5 pixels.
func TestContractForImageNet(t *testing.T) {
	b := backendtest.Open(t)
	for _, c := range []struct {
		block     string
		groups    []int
		side      int
		form      resnet.Form
		inverted  bool
		perSample bool
	}{
		{depth.Basic, []int{1, 2}, 36, byhand.Form{Recompute: true}, true, true},
		{depth.OriginalBottleneck, []int{2, 2}, 36, byhand.Form{}, false, false},
	} {
		for dtype, tolerance := range map[dtypes.DType]float64{dtypes.Float64: 1e-9, dtypes.Float32: 1e-4} {
			t.Run(fmt.Sprint(c.block, c.groups, c.side, c.perSample, dtype), func(t *testing.T) {
				n := groupsOf(t, dataset.Format{Height: c.side, Width: c.side, Channels: 3}, c.block, c.groups, dtype)
				n.ImageNetStem, n.Projection, n.Inverted = true, true, c.inverted
				images, labels := batch(n, 3)
				engine := step(t, b, n, c.form)
				if c.perSample {
					patterns := imageGatePatterns(n.Survival, 3)
					want := textbookOutcomes(t, b, n, 3, 1, patterns, imageGatesOf)
					for _, name := range slices.Sorted(maps.Keys(patterns)) {
						gates := patterns[name]
						compare(t, name, gates[len(gates)-1], tolerance, want[name], engine(images, imageGatesOf(n, gates), labels))
					}
					return
				}
				patterns := gatePatterns(n.Survival)
				want := textbookOutcomes(t, b, n, 3, 1, patterns, gatesOf)
				for _, name := range slices.Sorted(maps.Keys(patterns)) {
					compare(t, name, patterns[name], tolerance, want[name], engine(images, gatesOf(n, patterns[name]), labels))
				}
				kernel := "gradient /network/group2/transition/kernel_shortcut"
				require.NotZero(t, want["all closed"][kernel][0], "closed blocks' shortcuts learn")
			})
		}
	}
}

// compileOnly is set where a test has started itself to have programs compiled.
const compileOnly = "STOCHDEPTH_TEST_COMPILE"

// TestClosedBlocksAreNotComputed reads what XLA made of a step: before and after its loops are the products of the stem
// and of the head alone. XLA would move there what a loop computes in the same way in each turn, and a stack of one
// computes all of its block so; then closed blocks cost what open ones do.
func TestClosedBlocksAreNotComputed(t *testing.T) {
	if os.Getenv(compileOnly) != "" {
		b := backendtest.Open(t)
		for _, c := range []struct {
			block  string
			groups []int
			dtype  dtypes.DType
			form   resnet.Form
		}{
			{"basic", []int{2, 2, 2}, dtypes.Float64, byhand.Form{Recompute: true}}, {"basic", []int{2, 2, 2}, dtypes.Float64, general{}},
			{"preactivation", []int{3, 2}, dtypes.Float32, byhand.Form{}}, {"bottleneck", []int{2, 2}, dtypes.Float32, byhand.Form{}},
		} {
			n := groupsOf(t, rgb, c.block, c.groups, c.dtype)
			images, labels := batch(n, 3)
			step(t, b, n, c.form)(images, gatesOf(n, make(depth.Gates, len(n.Survival))), labels)
		}
		return
	}
	dumps := t.TempDir() // XLA takes its flags once in a process
	test := exec.Command(os.Args[0], "-test.run", "^TestClosedBlocksAreNotComputed$")
	test.Env = append(os.Environ(), compileOnly+"=on", "XLA_FLAGS="+os.Getenv("XLA_FLAGS")+" --xla_dump_to="+dumps)
	out, err := test.CombinedOutput()
	require.NoError(t, err, "%s", out)
	programs, err := filepath.Glob(filepath.Join(dumps, "*after_optimizations.txt"))
	require.NoError(t, err)
	products := regexp.MustCompile(` (dot|convolution)\(|custom_call_target="stochdepth_`)
	engines := 0
	for _, path := range programs {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		loops, main, found := strings.Cut(string(text), "\nENTRY ")
		require.True(t, found, path)
		if !strings.Contains(main, " while(") {
			continue
		}
		engines++
		main = strings.ReplaceAll(main, `"stochdepth_memory"`, "") // it computes nothing
		require.LessOrEqual(t, len(products.FindAllString(main, -1)), 2+3,
			"the stem's convolution and its gradient, and the linear layer's product and its gradients")
		require.GreaterOrEqual(t, len(products.FindAllString(loops, -1)), 30)
	}
	require.Equal(t, 4, engines, "programs with loops in what XLA wrote")
}

// TestContractOfAnyBlockAtTest compares logits in test mode, with running averages that have moved.
func TestContractOfAnyBlockAtTest(t *testing.T) {
	b := backendtest.Open(t)
	for block, groups := range map[string][]int{
		"basic": {2, 2, 2}, "preactivation": {2, 2}, "bottleneck": {2, 2}, "transformer": {3},
	} {
		n := groupsOf(t, rgb, block, groups, dtypes.Float64)
		want, got := logitsAtTest(t, b, n, resnet.Textbook{}), logitsAtTest(t, b, n, general{})
		require.NotEqual(t, want[0], want[1])
		require.LessOrEqual(t, difference(want, got), 1e-9, block)
		t.Logf("test mode, %s: largest difference of the logits %.1e", block, difference(want, got))
	}
}

// forgetful asks for a value it has not, and measures nothing; it brings two blocks to another shape.
type forgetful struct {
	resnet.Basic
	asks bool
}

func (f forgetful) Branch(b *residual.Branch, x *Node) *Node {
	if f.asks {
		return b.Value("kernel3")
	}
	return x
}

func (f forgetful) Shortcut(_ *residual.Branch, x *Node) *Node { return Neg(x) }

func TestBlocksThatCannotBe(t *testing.T) {
	b := backendtest.Open(t)
	for what, c := range map[string]struct {
		asks  bool
		count int
	}{
		"the block's Parameters have no kernel3":                                    {true, 1},
		"the block's Branch measures no mean1 for the running average of this name": {false, 1},
		"must be of one block":                                                      {false, 2},
	} {
		n := networkOf(t, "basic", 8, dtypes.Float32)
		store := model.NewStore()
		require.NoError(t, n.Initialize(store, 7))
		s := n.Stages()[0].Stack
		s.Count, s.Block = c.count, forgetful{s.Block.(resnet.Basic), c.asks}
		_, err := model.CallOnce(b, store, func(scope *model.Scope, h *Node) *Node {
			scope.Store().SetTraining(h.Graph(), true)
			return survivors.Form{}.Train(scope, s, h, Ones(h.Graph(), shapes.Make(dtypes.Float32, c.count)), nil)
		}, tensors.FromShape(shapes.Make(dtypes.Float32, 2, 32, 32, 16)))
		require.ErrorContains(t, err, what)
	}
}

// TestGradientOfReluAtZero looks where a ReLU's input is exactly 0. A closed block between two groups fills up its new
// channels with zeros, the next batch normalisation passes on its offset, 0 at first, and a gradient of it would be one that
// PyTorch does not give. In both forms it is 0, and that of the other channels is not.
func TestGradientOfReluAtZero(t *testing.T) {
	b := backendtest.Open(t)
	for _, c := range []struct { // of TestContractOfAnyBlock, whose programs are compiled already
		block    string
		groups   []int
		inverted bool
		batch    int
	}{{"preactivation", []int{3, 2}, true, 3}, {"bottleneck", []int{2, 2}, false, 2}} {
		n := groupsOf(t, rgb, c.block, c.groups, dtypes.Float64)
		n.Inverted = c.inverted
		open := depth.AllOpen(len(n.Survival))
		clear(open[c.groups[0]:])
		patterns := map[string]depth.Gates{"last group closed": open}
		images, labels := batch(n, c.batch)
		for form, o := range map[string]outcome{
			"textbook": textbookOutcomes(t, b, n, c.batch, 1, patterns, gatesOf)["last group closed"],
			"engine":   step(t, b, n, general{})(images, gatesOf(n, open), labels),
		} {
			offset := o["gradient /network/head/offset"]
			half := len(offset) / 2
			require.Equal(t, make([]float64, half), offset[half:], "%s, %s: channels of zeros", c.block, form)
			for channel, gradient := range offset[:half] {
				require.NotZero(t, gradient, "%s, %s: channel %d", c.block, form, channel)
			}
		}
	}
}
