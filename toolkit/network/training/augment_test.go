package training_test

import (
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/training"
)

// The pictures to look at are what the compiled augmentation makes, up to rounding to bytes.
func TestAugmented(t *testing.T) {
	r := tiny(t)
	data, err := training.LoadData(r, "")
	require.NoError(t, err)
	normalization := training.Fit(r, data.Train)
	batch := training.NewBatches(r, depth.Constant(3), data.Train).At(0)
	images := make([]float32, len(batch.Pixels))
	for i, p := range batch.Pixels {
		images[i] = float32(p) - normalization.Mean[i%3]
	}
	size := len(batch.Labels)
	out, err := training.Augment(backendtest.Open(t), tensors.FromFlatDataAndDimensions(images, size, 32, 32, 3),
		tensors.FromFlatDataAndDimensions(batch.Augmentation, size, 3))
	require.NoError(t, err)
	moved := batch.Augmented(normalization)
	for i, v := range tensors.MustCopyFlatData[float32](out) {
		require.InDelta(t, v+normalization.Mean[i%3], moved[i], 0.51, "%d", i)
	}
}
