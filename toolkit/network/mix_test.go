package network

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/runs/recipes"
)

// Shares have the mean and variance of Beta(alpha, alpha), 1/2 and 1/(8 alpha + 4); both methods come up equally often; the share
// of a label is that of the pixels.
func TestDrawMix(t *testing.T) {
	const draws = 20000
	image := dataset.Format{Height: 32, Width: 48, Channels: 3}
	for _, c := range []struct{ mixup, cutmix float64 }{{0.01, 0}, {0.1, 0}, {0.2, 0}, {1, 0}, {8, 0}, {100, 0}, {0, 1}, {0.8, 1}} {
		var sum, squares, boxes float64
		for step := range int64(draws) {
			d := drawMix(depth.Rand(1, depth.Mixing, step), recipes.Recipe{Mixup: c.mixup, CutMix: c.cutmix}, image)
			own, pixels := float64(d[mixOwn]), float64((d[mixBottom]-d[mixTop])*(d[mixRight]-d[mixLeft]))
			require.True(t, own >= 0 && own <= 1 && d[mixTop] >= 0 && d[mixLeft] >= 0 && d[mixBottom] <= 32 && d[mixRight] <= 48, "%v", d)
			require.InDelta(t, 1-(1-float64(d[mixInside]))*pixels/(32*48), own, 1e-6)
			sum, squares = sum+own, squares+own*own
			if d[mixInside] == 0 && (d[mixTop] > 0 || d[mixLeft] > 0 || d[mixBottom] < 32 || d[mixRight] < 48) {
				boxes++
			}
		}
		mean := sum / draws
		variance := 1 / (8*c.mixup + 4)
		switch {
		case c.cutmix == 0:
			require.InDelta(t, 0.5, mean, 5*math.Sqrt(variance/draws), "alpha %g", c.mixup)
			require.InEpsilon(t, variance, squares/draws-mean*mean, 0.05, "alpha %g", c.mixup)
		case c.mixup == 0:
			require.Greater(t, mean, 0.6, "boxes that the edges cut off")
			require.Greater(t, boxes, 0.99*draws)
		default:
			require.InDelta(t, 0.5, boxes/draws, 0.02)
		}
	}
	require.Nil(t, drawMix(depth.Rand(1, depth.Mixing, 0), recipes.Default(), image))
}

// What a step mixes is what people are shown.
func TestMixOnDeviceAndHost(t *testing.T) {
	b, f := backendtest.Open(t), dataset.Format{Height: 4, Width: 5, Channels: 3}
	pixels := make([]byte, 3*f.Bytes()) // the image in the middle is its own partner
	for i := range pixels {
		pixels[i] = byte(i * i)
	}
	for _, draws := range [][]float32{{0.25, 0.25, 0, 0, 4, 5}, {0.7, 0, 1, 2, 3, 5}, {1, 0, 2, 2, 2, 2}} {
		got := MustExecOnce(b, func(pixels, draws *Node) *Node {
			return mix(ConvertDType(pixels, draws.DType()), draws)
		}, tensors.FromFlatDataAndDimensions(pixels, f.Batch(3)...), draws)
		want := mixed(pixels, f, draws)
		for i, value := range tensors.MustCopyFlatData[float32](got) {
			require.InDelta(t, float64(want[i]), float64(value), 0.501, "%v at %d", draws, i)
		}
		last := want[len(want)-f.Bytes():][(1*5+3)*3] // in the box
		first := pixels[(1*5+3)*3]
		require.Equal(t, draws[1] == 0 && draws[4] > draws[2], last == first)
	}
}
