package survivors_test

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors/byhand"
)

// TestContractRounding tells rounding from faults that the absolute bounds of the other tests let pass. Against float64
// the kernels' error, in each variable's gradient and average, is two to three times that of XLA's own float32, since they
// convolve by Winograd's method; so it is too where a block is open for one image alone. A single minibatch shows
// nothing: either may round the input of a ReLU that is nearly 0 to the other side, which moves gradients by a
// hundredth. So medians over minibatches are compared.
func TestContractRounding(t *testing.T) {
	b := backendtest.Open(t)
	if proxy.Processor(b.(*xla.Backend).PluginName()) == "" {
		t.Skip("there are no kernels here")
	}
	const size, draws, bound, unit = 3, 15, 5.0, 6e-8 // float32's own rounding
	rounded := network(t, 8, dtypes.Float32)
	exact := *rounded
	exact.DType = dtypes.Float64
	start := model.NewStore()
	require.NoError(t, rounded.Initialize(start, 7))
	plain, replaced := withoutKernels(t, b), proxy.Replaced()
	// run is a step on a minibatch, from the same numbers in both types.
	run := func(b compute.Backend, n *resnet.Network) func(seed uint64, open func(rng *rand.Rand) []bool) outcome {
		store := model.NewStore()
		require.NoError(t, n.Initialize(store, 7))
		for v := range store.IterVariables() {
			if v.Shape().DType == dtypes.Float64 {
				values := flat(start.GetVariable(v.Path()).MustValue())
				require.NoError(t, v.SetValue(residual.Tensor(dtypes.Float64, values, v.Shape().Dimensions...)))
			}
		}
		step := stepOf(b, store, n, byhand.Form{})
		return func(seed uint64, open func(rng *rand.Rand) []bool) outcome {
			rng := rand.New(rand.NewPCG(1, seed))
			pixels, classes, gates := make([]float64, size*rgb.Bytes()), make([]int32, size), make(imageGates, size)
			for i := range pixels {
				pixels[i] = float64(float32(rng.NormFloat64()))
			}
			for i := range size {
				classes[i], gates[i] = int32(rng.IntN(n.Classes)), make(depth.Gates, len(n.Survival))
			}
			for block := range n.Survival {
				for i, open := range open(rng) {
					gates[i][block] = open
				}
			}
			return step(residual.Tensor(n.ParameterDType(), pixels, rgb.Batch(size)...),
				imageGatesOf(n, gates), tensors.FromFlatDataAndDimensions(classes, size))
		}
	}
	want, xlas, ours := run(b, &exact), run(plain, rounded), run(b, rounded)
	for pattern, open := range map[string]func(rng *rand.Rand) []bool{
		"one image alone": func(rng *rand.Rand) []bool {
			gates := make([]bool, size)
			gates[rng.IntN(size)] = true
			return gates
		},
		"drawn": func(rng *rand.Rand) []bool { return []bool{rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(2) == 0} },
	} {
		errors, kernelErrors := map[string][]float64{}, map[string][]float64{}
		for seed := range uint64(draws) {
			w, x, k := want(seed, open), xlas(seed, open), ours(seed, open)
			for key := range w {
				if size := norm(w[key], nil); size > 0 { // no image opened the block otherwise
					errors[key] = append(errors[key], max(unit, norm(x[key], w[key])/size))
					kernelErrors[key] = append(kernelErrors[key], norm(k[key], w[key])/size)
				}
			}
		}
		requireReplaced(t, b, rounded, replaced)
		worst, of := 0.0, ""
		for key := range errors {
			own, ours := median(errors[key]), median(kernelErrors[key])
			require.LessOrEqual(t, ours, bound*own, "%s, %s: XLA %.1e", pattern, key, own)
			if ours/own > worst {
				worst, of = ours/own, key
			}
		}
		t.Logf("%s: at most %.1f times XLA's own error (%s: %.1e)", pattern, worst, of, median(errors[of]))
	}
}

var plain compute.Backend

// withoutKernels is another client of the backend's plugin, without kernels before it. All tests share it.
func withoutKernels(t *testing.T, b compute.Backend) compute.Backend {
	if plain != nil {
		return plain
	}
	plugin := b.(*xla.Backend).PluginName()
	folder, err := os.MkdirTemp("", "") // without the comma that a test's name may have
	require.NoError(t, err)
	defer os.RemoveAll(folder)
	link := filepath.Join(folder, filepath.Base(plugin))
	require.NoError(t, os.Symlink(plugin, link))
	plain, err = xla.New(link + ",shared_buffers")
	require.NoError(t, err)
	require.Empty(t, proxy.Processor(link))
	return plain
}

// norm is the length of a - b, or of a if b is nil; infinite if a value is no number.
func norm(a, b []float64) float64 {
	var squares float64
	for i, v := range a {
		if b != nil {
			v -= b[i]
		}
		squares += v * v
	}
	if math.IsNaN(squares) {
		return math.Inf(1)
	}
	return math.Sqrt(squares)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
