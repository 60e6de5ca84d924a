package network

import (
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/runs/recipes"
)

// Constant and stochastic runs with the same seed see the same images, with the same shifts and flips: their minibatches
// differ only in the gates.
func TestSameDataOrder(t *testing.T) {
	r := tiny(t)
	data, err := LoadData(t.Context(), r, "")
	require.NoError(t, err)
	batches := func(deathRate float64, seed int64) (list []*Batch) {
		r := r
		r.DeathRate, r.Seed = deathRate, seed
		n, err := Of(r, rgb, 10)
		require.NoError(t, err)
		b := NewBatches(r, n.Survival, data.Train)
		require.EqualValues(t, 3, b.PerEpoch())
		for step := range int64(6) {
			list = append(list, b.At(step))
		}
		return list
	}
	constant, stochastic, other := batches(0, 1), batches(0.9, 1), batches(0.9, 2)
	closed := 0.0
	for i := range constant {
		require.Equal(t, constant[i].Pixels, stochastic[i].Pixels)
		require.Equal(t, constant[i].Labels, stochastic[i].Labels)
		require.Equal(t, constant[i].Augmentation, stochastic[i].Augmentation)
		require.EqualValues(t, 3, constant[i].Open)
		closed += 3 - stochastic[i].Open
	}
	require.Positive(t, closed)
	require.Len(t, constant[2].Labels, 8, "the last batch of an epoch is kept")
	require.NotEqual(t, constant[0].Labels, constant[3].Labels, "each epoch has its own order")
	require.NotEqual(t, stochastic[0].Augmentation, other[0].Augmentation)
}

// With sub-batches each block is open for its number of images in every minibatch, also in the last, smaller one. Gates that do
// not fit the program are refused, and so are several devices.
func TestSubBatches(t *testing.T) {
	r := tiny(t)
	r.GatesPer, r.ScaleAt = "subbatch", "train"
	m, err := Open(backendtest.Open(t), r, "")
	require.NoError(t, err)
	require.Equal(t, depth.Survival{0.875, 0.625, 0.5}, m.Network.Survival, "of 5/6, 4/6 and 3/6")
	batches, again := m.Batches(), m.Batches()
	for step, want := range [][]float64{{14, 10, 8}, {14, 10, 8}, {7, 5, 4}, {14, 10, 8}} {
		b := batches.At(int64(step))
		size := float64(len(b.Labels))
		for l, images := range want {
			require.Equal(t, images, b.OpenShare(l)*size)
		}
		require.InDelta(t, (want[0]+want[1]+want[2])/size, b.Open, 1e-9)
		require.Equal(t, again.At(int64(step)).Gates, b.Gates)
		require.NoError(t, b.check(m.Model))
	}
	require.NotEqual(t, batches.At(0).Gates, batches.At(1).Gates)
	_, err = m.Step(m.BatchesOf(r, depth.Constant(3)).At(0))
	require.ErrorContains(t, err, "block 1 is open for 16 images, but the network computes it for 14")
	require.ErrorContains(t, m.UseDevices(2), `gates_per "subbatch" takes a single device, not 2`)
	b := batches.At(0)
	b.SetGates(depth.AllOpen(3))
	takeStep(t, m.Model, b) // as with other gates

	r.DeathRate = 0
	m, err = Open(backendtest.Open(t), r, "")
	require.NoError(t, err)
	require.Len(t, m.Batches().At(0).Gates, 3, "constant depth needs no gates per sample")
}

// Minibatches that are prepared ahead are the same: over epochs, after a step back (a run that goes on from an earlier
// checkpoint) and with the pixels on the device.
func TestAheadGivesTheSameMinibatches(t *testing.T) {
	data, err := dataset.Load("shapes", dataset.Options{Seed: 1, Train: 20, Validation: 5, Test: 5})
	require.NoError(t, err)
	recipe := recipes.Default()
	recipe.Dataset, recipe.Depth, recipe.Epochs, recipe.BatchSize = "shapes", 8, 3, 8
	recipe.DeathRate, recipe.Augment = 0.5, "shift"
	survival := depth.Linear(3, 0.5)
	plain := NewBatches(recipe, survival, data.Train)
	a := NewBatches(recipe, survival, data.Train)
	a.ahead = true
	for _, step := range []int64{0, 1, 2, 3, 4, 2, 3, 8} {
		require.Equal(t, plain.At(step), a.At(step), step)
	}
	require.Nil(t, a.next, "nothing is prepared after the last step")

	a.resident = true
	want, got := plain.At(5), a.At(5)
	require.Nil(t, got.Pixels)
	want.Pixels = nil
	require.Equal(t, want, got)
}

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
	out, err := graph.CallOnce(backendtest.Open(t), shift, tensors.FromFlatDataAndDimensions(images, size, 32, 32, 3),
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
	out, err := graph.CallOnce(backendtest.Open(t), shift,
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
