package survivors_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/kernels"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors/byhand"
)

// outcome is everything the contract compares: the loss and, by variable, gradients and averages.
type outcome map[string][]float64

// step runs one training step's forward and backward pass without updating the weights. The running averages move on
// from call to call.
func step(t testing.TB, b compute.Backend, n *resnet.Network, form resnet.Form) func(images, gates, labels *tensors.Tensor) outcome {
	store := model.NewStore()
	require.NoError(t, n.Initialize(store, 7))
	return stepOf(b, store, n, form)
}

// stepOf is step with variables that are there.
func stepOf(b compute.Backend, store *model.Store, n *resnet.Network,
	form resnet.Form) func(images, gates, labels *tensors.Tensor) outcome {
	return stepNamed(b, store, n, form, "")
}

// stepNamed is stepOf with the beginning of the program's name, by which package proxy chooses its precision.
func stepNamed(b compute.Backend, store *model.Store, n *resnet.Network, form resnet.Form,
	name string) func(images, gates, labels *tensors.Tensor) outcome {
	var names []string
	exec := model.MustNewExec(b, store, func(scope *model.Scope, images, gates, labels *Node) []*Node {
		g := images.Graph()
		scope.Store().SetTraining(g, true)
		logits := n.ForwardIn(form, scope, images, gates)
		mean := crossEntropy(logits, labels)
		outputs := []*Node{mean}
		names = []string{"loss"}
		var variables []*model.Variable
		for v := range scope.IterVariables() {
			if v.InUseByGraph(g) {
				variables = append(variables, v)
			}
		}
		for i, d := range scope.BuildTrainableVariablesGradientsGraph(mean) {
			names, outputs = append(names, fmt.Sprint("gradient ", trainable(variables)[i].Path())), append(outputs, d)
		}
		for _, v := range variables {
			if !v.Trainable {
				names, outputs = append(names, "average "+v.Path()), append(outputs, v.NodeValue(g))
			}
		}
		return outputs
	})
	exec.WithName(name + exec.Name())
	return func(images, gates, labels *tensors.Tensor) outcome {
		o := outcome{}
		for i, value := range exec.MustCall(images, gates, labels) {
			o[names[i]] = flat(value)
		}
		return o
	}
}

// textbooks are the textbook forms compiled so far, each with its variables.
var textbooks = make(map[string]compiled)

type compiled struct {
	store *model.Store
	step  func(images, gates, labels *tensors.Tensor) outcome
}

// variant tells networks apart, except for their types and weights.
func variant(n *resnet.Network) string {
	return fmt.Sprint(n.Block, n.Groups, n.Image, n.Encoder, n.ImageNetStem, n.Projection, n.Inverted, n.Subsample, n.SubBatches)
}

// textbook is a network in float64 and a step of its textbook form, from the first running averages on. It is compiled
// once for all tests.
func textbook(t testing.TB, b compute.Backend, n *resnet.Network) (*resnet.Network, func(images, gates, labels *tensors.Tensor) outcome) {
	exact, key := *n, variant(n)
	exact.DType = dtypes.Float64
	fresh := model.NewStore()
	require.NoError(t, exact.Initialize(fresh, 7))
	c, ok := textbooks[key]
	if !ok {
		c = compiled{fresh, stepOf(b, fresh, &exact, resnet.Textbook{})}
		textbooks[key] = c
		return &exact, c.step
	}
	for v := range fresh.IterVariables() {
		require.NoError(t, c.store.GetVariable(v.Path()).SetValue(v.MustValue()))
	}
	return &exact, c.step
}

// computed are the textbook form's outcomes so far.
var computed = make(map[string]map[string]outcome)

// textbookOutcomes are the textbook form's outcomes in float64 for each pattern of gates, one after the other in the order
// of their names, since averages move on. They are computed once for all tests.
func textbookOutcomes[G any](t testing.TB, b compute.Backend, n *resnet.Network, size int, seed uint64, patterns map[string]G,
	tensorOf func(*resnet.Network, G) *tensors.Tensor) map[string]outcome {
	names := slices.Sorted(maps.Keys(patterns))
	key := fmt.Sprintf("%s %d %d %T %q", variant(n), size, seed, patterns, names)
	if computed[key] == nil {
		exact, step := textbook(t, b, n)
		images, labels := batchOf(exact, size, seed)
		outcomes := make(map[string]outcome)
		for _, name := range names {
			outcomes[name] = step(images, tensorOf(exact, patterns[name]), labels)
		}
		computed[key] = outcomes
	}
	return computed[key]
}

func trainable(all []*model.Variable) (some []*model.Variable) {
	for _, v := range all {
		if v.Trainable {
			some = append(some, v)
		}
	}
	return some
}

func crossEntropy(logits, labels *Node) *Node {
	return ReduceAllMean(loss.SparseCategoricalCrossEntropyLogits([]*Node{InsertAxes(labels, -1)}, []*Node{logits}))
}

func flat(t *tensors.Tensor) []float64 {
	switch t.DType() {
	case dtypes.Float64:
		return tensors.MustCopyFlatData[float64](t)
	default:
		var converted []float64
		for _, v := range tensors.MustCopyFlatData[float32](t) {
			converted = append(converted, float64(v))
		}
		return converted
	}
}

// difference is the largest difference between two values, relative to the larger of their sizes and 1.
func difference(a, b []float64) float64 {
	var most float64
	for i := range a {
		most = max(most, math.Abs(a[i]-b[i])/max(1, math.Abs(a[i]), math.Abs(b[i]))) // NaN if one is
	}
	return most
}

func batch(n *resnet.Network, size int) (images, labels *tensors.Tensor) { return batchOf(n, size, 1) }

// batchOf is a minibatch drawn from a seed.
func batchOf(n *resnet.Network, size int, seed uint64) (images, labels *tensors.Tensor) {
	rng := rand.New(rand.NewPCG(seed, 2))
	pixels, classes := make([]float64, size*n.Image.Bytes()), make([]int32, size)
	for i := range pixels {
		pixels[i] = rng.NormFloat64()
	}
	for i := range classes {
		classes[i] = int32(rng.IntN(n.Classes))
	}
	return residual.Tensor(n.ParameterDType(), pixels, n.Image.Batch(size)...),
		tensors.FromFlatDataAndDimensions(classes, size)
}

func gatesOf(n *resnet.Network, open depth.Gates) *tensors.Tensor {
	values := make([]float64, len(open))
	for i, o := range open {
		if o {
			values[i] = 1
		}
	}
	return residual.Tensor(n.ParameterDType(), values, len(values))
}

// rgb is the format of the paper's images.
var rgb = square(32)

// square is the format of colour images with side*side pixels.
func square(side int) dataset.Format { return dataset.Format{Height: side, Width: side, Channels: 3} }

func network(t testing.TB, layers int, dtype dtypes.DType) *resnet.Network {
	return networkOf(t, "basic", layers, dtype)
}

// networkOf is a network of a number of layers with blocks of one kind, and batch normalisation's scales from (0, 1).
func networkOf(t testing.TB, block string, layers int, dtype dtypes.DType) *resnet.Network {
	return networkFor(t, rgb, block, layers, dtype)
}

// networkFor is networkOf for images of a format.
func networkFor(t testing.TB, image dataset.Format, block string, layers int, dtype dtypes.DType) *resnet.Network {
	groups, err := depth.GroupsOf(block, layers)
	require.NoError(t, err)
	return groupsOf(t, image, block, groups, dtype)
}

// groupsOf is networkFor with the number of blocks in each group.
func groupsOf(t testing.TB, image dataset.Format, block string, groups []int, dtype dtypes.DType) *resnet.Network {
	n, err := resnet.New(block, groups, image, 10, depth.Linear(depth.Total(groups), 0.5))
	require.NoError(t, err)
	n.DType, n.Scale = dtype, resnet.ScaleUniform
	return n
}

// gatePatterns are gates of all kinds: all open, all closed, one alone, drawn ones.
func gatePatterns(survival depth.Survival) map[string]depth.Gates {
	blocks := len(survival)
	patterns := map[string]depth.Gates{"all open": depth.AllOpen(blocks), "all closed": make(depth.Gates, blocks)}
	for _, only := range []int{0, blocks / 3, blocks - 1} {
		gates := make(depth.Gates, blocks)
		gates[only] = true
		patterns[fmt.Sprintf("block %d alone", only+1)] = gates
	}
	for i := range 6 {
		patterns[fmt.Sprintf("drawn %d", i)] = survival.Draw(depth.Rand(3, depth.GateDraws, int64(i)))
	}
	return patterns
}

// compare requires that the outcomes of two forms agree, and logs by how much they differ.
func compare(t *testing.T, what string, gates depth.Gates, tolerance float64, want, got outcome) {
	require.Len(t, got, len(want))
	most := map[string]float64{}
	for key, value := range want {
		require.Len(t, got[key], len(value), key)
		d := difference(value, got[key])
		require.LessOrEqual(t, d, tolerance, "%s, %s", what, key)
		most[key[:4]] = max(most[key[:4]], d)
	}
	t.Logf("%s %2d of %d open: loss %.12f, largest differences: loss %.1e, gradients %.1e, averages %.1e",
		what, gates.Open(), len(gates), want["loss"][0], most["loss"], most["grad"], most["aver"])
}

// onGPU reports whether the engine's programs are to be those for a GPU.
func onGPU(b compute.Backend) bool { return backend.KindOf(b) == backend.CUDA }

// TestContract holds the engine to the textbook form in float64: the loss, every gradient and every
// batch-norm average agree to 1e-9 in float64 and to 1e-4 in float32, whatever the gates.
func TestContract(t *testing.T) {
	b := backendtest.Open(t)
	for _, c := range []struct {
		layers    int
		dtype     dtypes.DType
		inverted  bool
		sub       bool
		recompute bool
		tolerance float64
		batch     int    // few: each ReLU whose input is nearly 0 may round to the other side
		seed      uint64 // of the minibatch: one where no such input is so near that float32 alone decides (TestContractRounding)
		gpu       bool   // the engine as it is written for a GPU, on whatever device
		side      int    // of the images, in pixels; 0: the paper's
	}{
		{8, dtypes.Float64, true, true, false, 1e-9, 3, 1, false, 0},
		{20, dtypes.Float64, false, false, false, 1e-9, 3, 1, false, 0},
		{20, dtypes.Float64, false, false, true, 1e-9, 3, 1, false, 0},
		{20, dtypes.Float32, false, false, false, 1e-4, 3, 2, false, 0},
		{20, dtypes.Float32, false, false, true, 1e-4, 3, 2, false, 0},
		{20, dtypes.Float64, false, false, false, 1e-9, 3, 1, true, 0},
		{8, dtypes.Float64, true, true, true, 1e-9, 3, 1, true, 0},
		{20, dtypes.Float32, false, false, false, 1e-4, 3, 2, true, 0},
		{8, dtypes.Float32, true, true, true, 1e-4, 3, 1, false, 0},
		// Kernels sum over parts of the minibatch: of 4 images, of 4 or 5, of 4, of 8.
		{8, dtypes.Float32, true, false, false, 1e-4, 16, 1, false, 0},
		{8, dtypes.Float32, false, false, false, 1e-4, 17, 1, false, 0},
		{8, dtypes.Float32, false, false, true, 1e-4, 17, 1, false, 0},
		{8, dtypes.Float32, false, false, false, 1e-4, 64, 1, false, 0},
		{8, dtypes.Float32, false, false, false, 1e-4, 128, 1, false, 0},
		// Images of other sizes: kernels compute the stages that have whole tiles, at 48 pixels two of three, at 20 none.
		{8, dtypes.Float32, false, false, false, 1e-4, 16, 1, false, 48},
		{8, dtypes.Float64, false, false, false, 1e-9, 3, 1, false, 20},
	} {
		name := fmt.Sprintf("%s, %d layers, inverted %t, recompute %t, %d images", c.dtype, c.layers, c.inverted, c.recompute, c.batch)
		if c.gpu {
			name += ", for a GPU"
		}
		if c.side != 0 {
			name += fmt.Sprintf(", side %d", c.side)
		}
		t.Run(name, func(t *testing.T) {
			n := networkFor(t, square(cmp.Or(c.side, 32)), "basic", c.layers, c.dtype)
			n.Inverted, n.Subsample = c.inverted, c.sub
			form := byhand.Form{Recompute: c.recompute, GPU: c.gpu || onGPU(b)}
			patterns := gatePatterns(n.Survival)
			if c.batch > 5 { // what matters there are the sums
				patterns = map[string]depth.Gates{"all open": patterns["all open"], "drawn": patterns["drawn 0"]}
			}
			names := slices.Sorted(maps.Keys(patterns))
			want := textbookOutcomes(t, b, n, c.batch, c.seed, patterns, gatesOf)
			replaced := proxy.Replaced()
			for client, device := range clients(t, b, n, form, c.batch) {
				images, labels := batchOf(n, c.batch, c.seed) // tensors stay with their client
				engine := step(t, device, n, form)
				for _, name := range names {
					compare(t, fmt.Sprintf("%2d layers, %s%s, inverted %-5t, %-14s", c.layers, c.dtype, client, c.inverted, name),
						patterns[name], c.tolerance, want[name], engine(images, gatesOf(n, patterns[name]), labels))
				}
			}
			if c.dtype == dtypes.Float32 && !c.gpu {
				requireReplaced(t, b, n, replaced)
			}
		})
	}
}

// requireReplaced requires that package proxy has replaced the loops of a network since their count was before, the stem's
// and the stages', forward and backward, where kernels have tiles for the images: that it still recognises what go-xla writes.
func requireReplaced(t *testing.T, b compute.Backend, n *resnet.Network, before int) {
	if proxy.Processor(b.(*xla.Backend).PluginName()) == "" {
		return
	}
	loops := 0
	for _, layer := range n.Size().Layers {
		if o := layer.Output; len(o) == 3 && kernels.Tiled(o[0], o[1], o[2]) {
			loops += 2
		}
	}
	require.Positive(t, loops)
	require.GreaterOrEqual(t, proxy.Replaced()-before, loops)
}

// clients are the backends that compute a case, by what the log calls them: the tests' own and, where kernels replace loops
// of the paper's block, one that leaves all to XLA. Larger minibatches are for the kernels alone.
func clients(t *testing.T, b compute.Backend, n *resnet.Network, form resnet.Form, batch int) map[string]compute.Backend {
	clients := map[string]compute.Backend{"": b}
	if f, ok := form.(byhand.Form); ok && !f.GPU && n.DType == dtypes.Float32 && batch <= 4 && os.Getenv(kernels.Environment) == "" {
		clients[" by XLA alone"] = withoutKernels(t, b)
	}
	return clients
}

// TestContractWithOlderKernels repeats the contract in float32 with the kernels for older processors, on newer ones.
func TestContractWithOlderKernels(t *testing.T) {
	if proxy.Processor(backendtest.Open(t).(*xla.Backend).PluginName()) != "AVX-512" {
		t.Skip("the other tests use these kernels already, or none")
	}
	test := exec.Command(os.Args[0], "-test.run", "^TestContract(AtTest|PerSample)?$/^Float32")
	test.Env = append(os.Environ(), kernels.Environment+"=avx2")
	out, err := test.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// logitsAtTest are a form's logits in test mode, with running averages that have moved.
func logitsAtTest(t *testing.T, b compute.Backend, n *resnet.Network, form resnet.Form) []float64 {
	images, _ := batch(n, 3)
	store := model.NewStore()
	require.NoError(t, n.Initialize(store, 7))
	run := func(training bool) *tensors.Tensor {
		return model.MustNewExec(b, store, func(scope *model.Scope, images, gates *Node) *Node {
			scope.Store().SetTraining(images.Graph(), training)
			return n.ForwardIn(form, scope, images, gates)
		}).MustCall(images, gatesOf(n, depth.AllOpen(len(n.Survival))))[0]
	}
	run(true) // moves the averages
	return flat(run(false))
}

// TestContractAtTest compares the engine's logits in test mode to the textbook form's in float64: every block scaled by
// its survival probability (Eq. 5).
func TestContractAtTest(t *testing.T) {
	b := backendtest.Open(t)
	want := logitsAtTest(t, b, network(t, 14, dtypes.Float64), resnet.Textbook{})
	require.NotEqual(t, want[0], want[1])
	for dtype, tolerance := range map[dtypes.DType]float64{dtypes.Float64: 1e-9, dtypes.Float32: 1e-4} {
		t.Run(dtype.String(), func(t *testing.T) {
			n, form := network(t, 14, dtype), byhand.Form{GPU: onGPU(b)}
			for client, device := range clients(t, b, n, form, 3) {
				got := logitsAtTest(t, device, n, form)
				require.LessOrEqual(t, difference(want, got), tolerance)
				t.Logf("test mode%s: largest difference of the logits %.1e", client, difference(want, got))
			}
		})
	}
}
