package network

import (
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
)

// Augmented returns what the compiled augmentation makes, up to rounding to bytes.
func TestAugmented(t *testing.T) {
	r := tiny(t)
	net, err := Open(backendtest.Open(t), r, "")
	require.NoError(t, err)
	normalization, batch := net.Normalization, net.Batches().At(0)
	images := make([]float32, len(batch.Pixels))
	for i, p := range batch.Pixels {
		images[i] = float32(p) - normalization.Mean[i%3]
	}
	size := len(batch.Labels)
	out, err := graph.CallOnce(backendtest.Open(t), augment, tensors.FromFlatDataAndDimensions(images, size, 32, 32, 3),
		tensors.FromFlatDataAndDimensions(batch.Augmentation, size, 3))
	require.NoError(t, err)
	moved := batch.Augmented(normalization)
	for i, v := range tensors.MustCopyFlatData[float32](out) {
		require.InDelta(t, v+normalization.Mean[i%3], moved[i], 0.51, "%d", i)
	}
}

// The augmentation by hand: image 0 moves down 2 and right 1, image 1 is flipped and stays.
func TestAugmentation(t *testing.T) {
	image := func(f func(y, x, c int) float32) []float32 {
		var pixels []float32
		for y := range 32 {
			for x := range 32 {
				for c := range 3 {
					pixels = append(pixels, f(y, x, c))
				}
			}
		}
		return pixels
	}
	value := func(y, x, c int) float32 { return float32(1 + y*100 + x*3 + c) }
	out, err := graph.CallOnce(backendtest.Open(t), augment,
		tensors.FromFlatDataAndDimensions(append(image(value), image(value)...), 2, 32, 32, 3),
		tensors.FromFlatDataAndDimensions([]int32{2, 1, 0, 0, 0, 1}, 2, 3))
	require.NoError(t, err)
	want := append(image(func(y, x, c int) float32 {
		if y < 2 || x < 1 {
			return 0
		}
		return value(y-2, x-1, c)
	}), image(func(y, x, c int) float32 { return value(y, 31-x, c) })...)
	require.Equal(t, want, tensors.MustCopyFlatData[float32](out))
}
