package training

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs/recipes"
)

// Minibatches that are prepared ahead are those of their steps: over epochs, after a step back (a run that goes on
// from an earlier checkpoint) and with the pixels on the device.
func TestAheadGivesTheSameMinibatches(t *testing.T) {
	data, err := dataset.Load("shapes", dataset.Options{Seed: 1, Train: 20, Validation: 5, Test: 5})
	require.NoError(t, err)
	recipe := recipes.Default()
	recipe.Dataset, recipe.Depth, recipe.Epochs, recipe.BatchSize = "shapes", 8, 3, 8
	recipe.DeathRate, recipe.Augment = 0.5, true
	survival := depth.Linear(3, 0.5)
	plain := NewBatches(recipe, survival, data.Train)
	steps := int64(recipe.Epochs) * plain.PerEpoch()
	a := &ahead{batches: NewBatches(recipe, survival, data.Train), steps: steps}
	for _, step := range []int64{0, 1, 2, 3, 4, 2, 3, 8} {
		require.Equal(t, plain.At(step), a.At(step), step)
	}
	require.Nil(t, a.next, "nothing is prepared after the last step")

	a.batches.resident = true
	want, got := plain.At(5), a.At(5)
	require.Nil(t, got.Pixels)
	want.Pixels = nil
	require.Equal(t, want, got)
}
