package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
)

// TestConvolutions compares convolutions and kernel gradients outside of loops with XLA's in float64, for each way in which
// the kernels compute them. Package survivors tests the blocks.
func TestConvolutions(t *testing.T) {
	b := backendtest.Open(t)
	before := proxy.Replaced()
	replaced := 0
	for _, c := range []struct {
		batch, side, in, out int
		forward              bool // by a kernel
		gradient             bool
	}{
		{3, 32, 16, 16, true, true}, // Winograd, some tiles at a time
		{3, 16, 32, 32, true, true}, // all tiles of an image
		{3, 8, 64, 64, true, true},  // all tiles of a small image
		{3, 32, 3, 16, true, false}, // directly, a full row at a time
		{3, 8, 5, 32, true, false},  // directly, two rows at a time
		{3, 48, 16, 32, true, true}, // an image of many tiles
		{3, 12, 16, 16, false, false},
		{3, 16, 16, 24, false, false},
		// Parts of several images, the same number in each or not.
		{16, 8, 64, 64, true, true},
		{17, 8, 16, 32, true, true},
		{17, 32, 16, 16, true, true},
		{64, 8, 32, 16, true, true},
		{128, 8, 16, 16, true, true},
		{128, 16, 3, 16, true, false},
	} {
		t.Run(fmt.Sprintf("%d of %dx%d, %d to %d channels", c.batch, c.side, c.side, c.in, c.out), func(t *testing.T) {
			batch := c.batch
			rng := rand.New(rand.NewPCG(1, 1))
			draw := func(dims ...int) []float64 {
				size := 1
				for _, d := range dims {
					size *= d
				}
				values := make([]float64, size)
				for i := range values {
					values[i] = float64(float32(rng.NormFloat64()))
				}
				return values
			}
			x, w, dy := draw(batch, c.side, c.side, c.in), draw(3, 3, c.in, c.out), draw(batch, c.side, c.side, c.out)
			run := func(dtype dtypes.DType) [][]float64 {
				out, err := ExecOnceN(b, func(x, w, dy *Node) []*Node {
					x, w, dy = ConvertDType(x, dtype), ConvertDType(w, dtype), ConvertDType(dy, dtype)
					y := Convolve(x, w).PaddingPerDim([][2]int{{1, 1}, {1, 1}}).Done()
					dw := Convolve(TransposeAllAxes(x, 3, 1, 2, 0), TransposeAllAxes(dy, 1, 2, 0, 3)).
						PaddingPerDim([][2]int{{1, 1}, {1, 1}}).Done()
					return []*Node{ConvertDType(y, dtypes.Float64), ConvertDType(TransposeAllAxes(dw, 1, 2, 0, 3), dtypes.Float64)}
				}, tensors.FromFlatDataAndDimensions(x, batch, c.side, c.side, c.in),
					tensors.FromFlatDataAndDimensions(w, 3, 3, c.in, c.out),
					tensors.FromFlatDataAndDimensions(dy, batch, c.side, c.side, c.out))
				require.NoError(t, err)
				return [][]float64{tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1])}
			}
			want, got := run(dtypes.Float64), run(dtypes.Float32)
			for i, what := range []string{"convolution", "kernel's gradient"} {
				var most, size, errors, squares float64
				for k, w := range want[i] {
					d := w - got[i][k]
					most, size = max(most, math.Abs(d)), max(size, math.Abs(w))
					errors, squares = errors+d*d, squares+w*w
				}
				t.Logf("%s: root mean square error %.1e of the values' root mean square, largest error %.1e of the largest value",
					what, math.Sqrt(errors/squares), most/size)
				require.Less(t, most, 2e-6*size, what)
			}
		})
		for _, byKernel := range []bool{c.forward, c.gradient} {
			if byKernel {
				replaced++
			}
		}
	}
	if before > 0 || proxy.Replaced() > 0 { // this machine has kernels
		require.Equal(t, replaced, proxy.Replaced()-before)
	}
}

// TestSums compares the sums of batch normalisation with those in float64: in one part and in several, the last one
// shorter, and of columns that are nearly constant, or far from zero.
func TestSums(t *testing.T) {
	b := backendtest.Open(t)
	before, calls := proxy.Replaced(), 0
	for _, c := range []struct {
		rows, columns int
		mean, spread  float64
		byKernel      bool
	}{
		{16, 16, 0, 1, true},
		{112, 64, 1, 1, true},
		{144, 64, -3, 0.5, true},
		{4096, 16, 20.1, 1e-3, true},
		{1008, 1024, 0, 10, true},
		{24, 16, 0, 1, false},
		{32, 24, 0, 1, false},
	} {
		t.Run(fmt.Sprintf("%d rows of %d", c.rows, c.columns), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			x, dy := make([]float32, c.rows*c.columns), make([]float32, c.rows*c.columns)
			for i := range x {
				x[i], dy[i] = float32(c.mean+c.spread*rng.NormFloat64()), float32(rng.NormFloat64())
			}
			out, err := ExecOnceN(b, func(x, dy *Node) []*Node {
				ones := Ones(x.Graph(), shapes.Make(dtypes.Float32, c.columns))
				_, mean, variance := InternalBatchNormForTraining(x, ones, ones, 1e-5, 1)
				_, dscale, doffset := InternalBatchNormGradient(x, ones, mean, variance, dy, 1e-5, 1)
				return []*Node{mean, variance, dscale, doffset}
			}, tensors.FromFlatDataAndDimensions(x, c.rows, c.columns), tensors.FromFlatDataAndDimensions(dy, c.rows, c.columns))
			require.NoError(t, err)
			if !c.byKernel {
				return
			}
			calls += 2
			got := make([][]float32, len(out))
			for i, o := range out {
				got[i] = tensors.MustCopyFlatData[float32](o)
			}
			for column := range c.columns {
				var mean, variance, dscale, doffset float64
				for i := column; i < len(x); i += c.columns {
					mean += float64(x[i]) / float64(c.rows)
				}
				for i := column; i < len(x); i += c.columns {
					variance += (float64(x[i]) - mean) * (float64(x[i]) - mean) / float64(c.rows)
				}
				deviation := math.Sqrt(variance + 1e-5)
				for i := column; i < len(x); i += c.columns {
					dscale += float64(dy[i]) * (float64(x[i]) - mean) / deviation
					doffset += float64(dy[i])
				}
				sum := 1e-6 * math.Sqrt(float64(c.rows)) // of numbers of the size of one
				require.InDelta(t, mean, got[0][column], 3e-7*(math.Abs(c.mean)+c.spread), "mean")
				require.InEpsilon(t, variance, got[1][column], 1e-4, "variance")
				require.InDelta(t, dscale, got[2][column], sum+1e-7*math.Abs(c.mean*doffset)/deviation, "gradient of the scale")
				require.InDelta(t, doffset, got[3][column], sum, "gradient of the offset")
			}
		})
	}
	if before > 0 || proxy.Replaced() > 0 { // this machine has kernels
		require.Equal(t, calls, proxy.Replaced()-before)
	}
}
