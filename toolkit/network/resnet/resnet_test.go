package resnet_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
)

// rgb is the format of the paper's images.
var rgb = dataset.Format{Height: 32, Width: 32, Channels: 3}

func network(t testing.TB, layers int, deathRate float64) *resnet.Network {
	n, err := resnet.New("basic", slices.Repeat([]int{(layers - 2) / 6}, 3), rgb, 10, depth.Linear((layers-2)/2, deathRate))
	require.NoError(t, err)
	n.DType = dtypes.Float64
	return n
}

// initialize creates the network's variables; scale says how the scales of batch normalisation start.
func initialize(n *resnet.Network, store *model.Store, seed int64, scale resnet.ScaleInit) error {
	n.Scale = scale
	return n.Initialize(store, seed)
}

// 1.73 million parameters at 110 layers, where the authors have 1.7 million (felixgwu's README); the other
// networks are small enough to count by hand.
func TestStagesAndParameters(t *testing.T) {
	for layers, want := range map[int]int{8: 75290, 20: 269722, 110: 1727962} {
		n := network(t, layers, 0.5)
		store := model.NewStore()
		require.NoError(t, initialize(n, store, 1, resnet.ScaleOne))
		var got, blocks int
		for v := range store.IterVariables() {
			if v.Trainable {
				got += v.Shape().Size()
			}
		}
		for _, s := range n.Stages() {
			require.Equal(t, blocks, s.First)
			blocks += s.Count
		}
		require.Equal(t, want, got, "%d layers", layers)
		require.EqualValues(t, want, n.Size().Parameters, "as counted without the variables")
		require.Equal(t, (layers-2)/2, blocks)
	}
}

// Twenty layers by hand. The stem's convolution makes 16 channels from 3, at 32x32 pixels; each convolution of group 1
// makes 16 from 16. In the other groups a convolution costs the same, as half the side makes up for twice the channels,
// except that the first convolution has half as many input channels.
func TestSizeOfTwentyLayers(t *testing.T) {
	const stem, full = 9 * 3 * 16 * 32 * 32, 9 * 16 * 16 * 32 * 32
	size := network(t, 20, 0.5).Size()
	require.EqualValues(t, stem+6*full+2*(5*full+full/2)+64*10, size.MultiplyAdds)
	require.EqualValues(t, 40_551_040, size.MultiplyAdds) // as others count it: 41 million

	var names, outputs []string
	for _, l := range size.Layers {
		names, outputs = append(names, fmt.Sprint(l.Blocks, " ", l.Name)), append(outputs, fmt.Sprint(l.Output))
	}
	require.Equal(t, []string{"0 stem", "3 group1", "1 group2/transition", "2 group2", "1 group3/transition", "2 group3",
		"0 head"}, names)
	require.Equal(t, []string{"[32 32 16]", "[32 32 16]", "[16 16 32]", "[16 16 32]", "[8 8 64]", "[8 8 64]", "[10]"}, outputs)

	// ResNet-110 is 253 million multiply-adds.
	require.EqualValues(t, 252_887_680, network(t, 110, 0.5).Size().MultiplyAdds)
}

// Kaiming normal with fan-in: deviation sqrt(2/(9 in)), here within 3 % over 54 x 2,304 numbers or more.
func TestInitialize(t *testing.T) {
	n := network(t, 110, 0.5)
	values := func(seed int64, scales resnet.ScaleInit, name string) []float64 {
		store := model.NewStore()
		require.NoError(t, initialize(n, store, seed, scales))
		value, err := residual.Variable(store.RootScope(), name).Value()
		require.NoError(t, err)
		return tensors.MustCopyFlatData[float64](value)
	}
	moments := func(v []float64) (mean, deviation float64) {
		for _, x := range v {
			mean += x / float64(len(v))
		}
		for _, x := range v {
			deviation += (x - mean) * (x - mean) / float64(len(v))
		}
		return mean, math.Sqrt(deviation)
	}
	for name, in := range map[string]float64{"group1/kernel1": 16, "group2/transition/kernel1": 16, "group3/kernel2": 64} {
		mean, deviation := moments(values(1, resnet.ScaleOne, name))
		want := math.Sqrt(2 / (9 * in))
		require.InEpsilon(t, want, deviation, 0.03, name)
		require.InDelta(t, 0, mean, 0.03*want, name)
	}
	mean, deviation := moments(values(1, resnet.ScaleUniform, "group3/scale1"))
	require.InDelta(t, 0.5, mean, 0.03)
	require.InDelta(t, math.Sqrt(1.0/12), deviation, 0.03)
	mean, deviation = moments(values(1, resnet.ScaleNormal, "group3/scale1"))
	require.InDelta(t, 1, mean, 0.0005)
	require.InDelta(t, 0.002, deviation, 0.0003)
	require.Equal(t, values(1, resnet.ScaleOne, "group1/kernel1"), values(1, resnet.ScaleOne, "group1/kernel1"))
	require.NotEqual(t, values(1, resnet.ScaleOne, "group1/kernel1"), values(2, resnet.ScaleOne, "group1/kernel1"))
	require.ErrorContains(t, initialize(n, model.NewStore(), 1, "two"), `unknown start of the batch-norm scales "two"`)
}

// The shortcut between groups by hand: one image whose pixel (y, x) of channel c is 10y + x + 100c.
func TestShortcut(t *testing.T) {
	s := resnet.Shape{In: 2, Out: 4, Stride: 2, Side: 2}
	image := make([]float64, 4*4*2)
	for y := range 4 {
		for x := range 4 {
			for c := range 2 {
				image[(y*4+x)*2+c] = float64(10*y + x + 100*c)
			}
		}
	}
	shortcut := func() []float64 {
		out, err := CallOnce(backendtest.Open(t), func(x *Node) *Node { return s.Shortcut(nil, x) },
			tensors.FromFlatDataAndDimensions(image, 1, 4, 4, 2))
		require.NoError(t, err)
		return tensors.MustCopyFlatData[float64](out)
	}
	require.Equal(t, []float64{5.5, 105.5, 0, 0, 7.5, 107.5, 0, 0, 25.5, 125.5, 0, 0, 27.5, 127.5, 0, 0}, shortcut())
	s.Subsample = true
	require.Equal(t, []float64{0, 100, 0, 0, 2, 102, 0, 0, 20, 120, 0, 0, 22, 122, 0, 0}, shortcut())
	s.Plain = true
	require.Equal(t, make([]float64, 16), shortcut())
}

// In a plain network no branch can be missing: where the first has no output, images are all the same to the rest.
func TestPlainNetworks(t *testing.T) {
	n := network(t, 8, 0)
	logits := func() []float64 {
		store := model.NewStore()
		require.NoError(t, initialize(n, store, 7, resnet.ScaleOne))
		scale := residual.Variable(store.RootScope(), "group1/scale2")
		require.NoError(t, scale.SetValue(tensors.FromFlatDataAndDimensions(make([]float64, 16), 1, 16)))
		return forward(t, n, store, false, images(2), []float64{1, 1, 1}, 3)
	}
	out := logits()
	require.NotEqual(t, out[:10], out[10:], "the shortcut carries the images on")
	n.Plain = true
	out = logits()
	require.Equal(t, out[:10], out[10:])
}

// forward runs the textbook form, which changes the running averages in the store, and returns its logits.
func forward(t *testing.T, n *resnet.Network, store *model.Store, training bool, images *tensors.Tensor,
	gates []float64, dims ...int) []float64 {
	exec := model.MustNewExec(backendtest.Open(t), store, func(scope *model.Scope, images, gates *Node) *Node {
		scope.Store().SetTraining(images.Graph(), training)
		return n.Forward(scope, images, gates)
	})
	return tensors.MustCopyFlatData[float64](exec.MustCall(images, tensors.FromFlatDataAndDimensions(gates, dims...))[0])
}

func images(size int) *tensors.Tensor {
	rng := rand.New(rand.NewPCG(1, 2))
	pixels := make([]float64, size*32*32*3)
	for i := range pixels {
		pixels[i] = rng.NormFloat64()
	}
	return tensors.FromFlatDataAndDimensions(pixels, size, 32, 32, 3)
}

// A closed block is the identity (Eq. 3), so with every gate closed the blocks' weights do not matter.
func TestGatesAndScales(t *testing.T) {
	n := network(t, 8, 0.5)
	logits := func(training bool, seed int64, gates ...float64) []float64 {
		store := model.NewStore()
		require.NoError(t, initialize(n, store, 7, resnet.ScaleOne))
		other := model.NewStore()
		require.NoError(t, initialize(n, other, seed, resnet.ScaleOne))
		for _, s := range n.Stages() { // other weights in the blocks, the same stem and linear layer
			for _, name := range []string{"/kernel1", "/kernel2"} {
				value, err := residual.Variable(other.RootScope(), s.Name+name).Value()
				require.NoError(t, err)
				require.NoError(t, residual.Variable(store.RootScope(), s.Name+name).SetValue(value))
			}
		}
		return forward(t, n, store, training, images(2), gates, 3)
	}
	require.Equal(t, logits(true, 1, 0, 0, 0), logits(true, 2, 0, 0, 0))
	require.NotEqual(t, logits(true, 1, 1, 0, 0), logits(true, 2, 1, 0, 0))

	// Inverted scaling multiplies the last block's branch by 1/p = 2 in training. The branch's batch norm
	// has scale 1 and offset 0, so doubling both gives the same.
	store := model.NewStore()
	require.NoError(t, initialize(n, store, 7, resnet.ScaleOne))
	n.Inverted = true
	inverted := forward(t, n, store, true, images(2), []float64{0, 0, 1}, 3)
	n.Inverted = false
	require.NoError(t, residual.Variable(store.RootScope(), "group3/transition/scale2").SetValue(
		tensors.FromFlatDataAndDimensions(slices.Repeat([]float64{2}, 64), 1, 64)))
	doubled := forward(t, n, store, true, images(2), []float64{0, 0, 1}, 3)
	require.InDeltaSlice(t, doubled, inverted, 1e-12)
}

// Gates per sample that are equal for all samples are gates per minibatch.
func TestGatesPerSample(t *testing.T) {
	n := network(t, 8, 0.5)
	run := func(gates []float64, dims ...int) []float64 {
		store := model.NewStore()
		require.NoError(t, initialize(n, store, 7, resnet.ScaleOne))
		return forward(t, n, store, true, images(2), gates, dims...)
	}
	same := run([]float64{1, 0, 1}, 3)
	require.InDeltaSlice(t, same, run([]float64{1, 0, 1, 1, 0, 1}, 2, 3), 1e-12)
	mixed := run([]float64{1, 0, 1, 0, 0, 1}, 2, 3)
	require.NotEqual(t, same[10:], mixed[10:])
}

// With gates per sample, images that open the same blocks get the same result as in a minibatch of these images alone,
// running averages included. Images that open no block are unchanged, and a block that no image opens keeps its averages.
func TestGatesPerSampleAreMinibatches(t *testing.T) {
	n := network(t, 20, 0.5)
	s := n.Stages()[0].Stack // of three blocks
	const size = 32 * 32 * 16
	rng := rand.New(rand.NewPCG(5, 6))
	inputs := make([]float64, 3*size)
	for i := range inputs {
		inputs[i] = rng.ExpFloat64() // as after a ReLU
	}
	run := func(inputs, gates []float64, dims ...int) (outputs, averages []float64) {
		store := model.NewStore()
		require.NoError(t, initialize(n, store, 7, resnet.ScaleUniform))
		results := model.MustNewExec(backendtest.Open(t), store, func(scope *model.Scope, h, gates *Node) []*Node {
			g := h.Graph()
			scope.Store().SetTraining(g, true)
			all := []*Node{residual.Textbook{}.Train(scope, s, h, gates, nil)}
			for _, p := range s.Averages() {
				all = append(all, s.Value(scope, g, p))
			}
			return all
		}).MustCall(tensors.FromFlatDataAndDimensions(inputs, len(inputs)/size, 32, 32, 16),
			tensors.FromFlatDataAndDimensions(gates, dims...))
		for _, r := range results[1:] {
			averages = append(averages, tensors.MustCopyFlatData[float64](r)...)
		}
		return tensors.MustCopyFlatData[float64](results[0]), averages
	}
	want, wantAverages := run(append(append([]float64{}, inputs[:size]...), inputs[2*size:]...), []float64{1, 0, 1}, 3)
	got, gotAverages := run(inputs, []float64{1, 0, 1, 0, 0, 0, 1, 0, 1}, 3, 3)
	require.InDeltaSlice(t, want[:size], got[:size], 1e-12)
	require.Equal(t, inputs[size:2*size], got[size:2*size])
	require.InDeltaSlice(t, want[size:], got[2*size:], 1e-12)
	require.InDeltaSlice(t, wantAverages, gotAverages, 1e-12)
	require.Equal(t, make([]float64, 16), gotAverages[16:32], "the mean of a block that no image opens")
}

// A closed block's running averages do not move, and those of open blocks do. Package survivors compares the values.
func TestAverages(t *testing.T) {
	n := network(t, 8, 0.5)
	store := model.NewStore()
	require.NoError(t, initialize(n, store, 7, resnet.ScaleOne))
	forward(t, n, store, true, images(2), []float64{1, 0, 1}, 3)
	variance := func(name string) []float64 {
		value, err := residual.Variable(store.RootScope(), name).Value()
		require.NoError(t, err)
		return tensors.MustCopyFlatData[float64](value)
	}
	require.Equal(t, slices.Repeat([]float64{1}, 32), variance("group2/transition/variance1"))
	require.NotContains(t, variance("group1/variance1"), 1.0)
	require.NotContains(t, variance("group3/transition/variance2"), 1.0)
}

// Batch normalisation at test by hand: (x - mean)/sqrt(variance + epsilon) scale + offset.
func TestNormalize(t *testing.T) {
	vector := func(v ...float64) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, len(v)) }
	out, err := CallOnceN(backendtest.Open(t), func(inputs []*Node) []*Node {
		return []*Node{resnet.Normalize(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4])}
	}, tensors.FromFlatDataAndDimensions([]float64{3, 5}, 1, 1, 1, 2),
		vector(2, 4), vector(0.5, -1), vector(1, 7), vector(4, 0.25))
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{
		(3-1)/math.Sqrt(4+1e-5)*2 + 0.5,
		(5-7)/math.Sqrt(0.25+1e-5)*4 - 1,
	}, tensors.MustCopyFlatData[float64](out[0]), 1e-12)
}

// The gradient of the textbook form agrees with central differences of its loss, for a few weights of each kind, in
// float64.
func TestGradientByDifferences(t *testing.T) {
	n := network(t, 8, 0.5)
	store := model.NewStore()
	require.NoError(t, initialize(n, store, 7, resnet.ScaleUniform))
	names := []string{"stem/kernel", "group1/kernel1", "group1/scale2", "group2/transition/kernel2",
		"group3/transition/offset1", "linear/bias"}
	loss := func(scope *model.Scope, images *Node) *Node {
		g := images.Graph()
		scope.Store().SetTraining(g, true)
		logits := n.Forward(scope, images, Const(g, []float64{1, 1, 1}))
		return ReduceAllMean(Square(AddScalar(logits, -1)))
	}
	gradients := model.MustNewExec(backendtest.Open(t), store, func(scope *model.Scope, images *Node) []*Node {
		l := loss(scope, images)
		var nodes []*Node
		for _, name := range names {
			nodes = append(nodes, residual.Variable(scope, name).NodeValue(images.Graph()))
		}
		return Gradient(l, nodes...)
	}).MustCall(images(2))
	value := model.MustNewExec(backendtest.Open(t), store, loss)
	const h = 1e-5
	for k, name := range names {
		v := residual.Variable(store.RootScope(), name)
		current, err := v.Value()
		require.NoError(t, err)
		weights, dims := tensors.MustCopyFlatData[float64](current), v.Shape().Dimensions
		at := func(i int, delta float64) float64 {
			moved := append([]float64{}, weights...)
			moved[i] += delta
			require.NoError(t, v.SetValue(tensors.FromFlatDataAndDimensions(moved, dims...)))
			return value.MustCall(images(2))[0].Value().(float64)
		}
		for _, i := range []int{0, len(weights) / 2} {
			numeric := (at(i, h) - at(i, -h)) / (2 * h)
			exact := tensors.MustCopyFlatData[float64](gradients[k])[i]
			require.InDelta(t, numeric, exact, 1e-6*max(1, math.Abs(exact)), "%s %d", name, i)
		}
		require.NoError(t, v.SetValue(tensors.FromFlatDataAndDimensions(weights, dims...)))
	}
}

// Every kind that package depth names exists, and its stages have as many blocks as depth counts. Registered kinds come
// after these; they may be registered again, but not under the name of one of these.
func TestKinds(t *testing.T) {
	require.Equal(t, depth.Named(), resnet.Blocks())
	for kind, size := range map[string]struct{ layers, blocks int }{
		depth.Basic: {20, 9}, depth.Preactivation: {20, 9}, depth.Bottleneck: {29, 9},
		depth.OriginalBottleneck: {29, 9}, depth.Transformer: {4, 4},
	} {
		groups, err := depth.GroupsOf(kind, size.layers)
		require.NoError(t, err)
		n, err := resnet.New(kind, groups, rgb, 10, depth.Linear(size.blocks, 0.5))
		require.NoError(t, err)
		counted := 0
		for _, s := range n.Stages() {
			require.Equal(t, counted, s.First)
			counted += s.Count
		}
		require.Equal(t, size.blocks, counted, kind)
		require.ErrorContains(t, resnet.Register(kind, nil), "is taken")
	}
	for range 2 {
		require.NoError(t, resnet.Register("aaa", func(s resnet.Shape) residual.Block { return resnet.Basic{Shape: s} }))
	}
	require.Equal(t, append(depth.Named(), "aaa"), resnet.Blocks())
	_, err := resnet.New("bbb", []int{3, 3, 3}, rgb, 10, depth.Linear(9, 0.5))
	require.EqualError(t, err, `no block "bbb" is known here: there are basic, preactivation, bottleneck, bottleneck-original, transformer, aaa, `+
		`and a program may register its own`)
}
