package training_test

import (
	"context"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/backend/backendtest"
	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/training"
)

// explored is an untrained model of 14 layers with its data.
func explored(t *testing.T, change func(*runs.Recipe)) (*training.Model, *dataset.Data) {
	t.Helper()
	r := tiny(t)
	r.Depth, r.DeathRate = 14, 0.5
	if change != nil {
		change(&r)
	}
	data, err := training.LoadData(r, "")
	require.NoError(t, err)
	m, err := training.NewModel(backendtest.Open(t), r, len(data.Classes), training.Fit(r, data.Train))
	require.NoError(t, err)
	return m, data
}

// Image by image the errors and losses are those of the evaluation, also where the last batch is filled up.
func TestClassify(t *testing.T) {
	m, data := explored(t, func(r *runs.Recipe) { r.Depth, r.TestImages = 8, 510 })
	score, err := m.Evaluate(context.Background(), data.Test)
	require.NoError(t, err)
	predictions, err := m.Classify(context.Background(), data.Test)
	require.NoError(t, err)
	require.Len(t, predictions, data.Test.Len())
	var wrong, loss, diagonal, all float64
	for i, p := range predictions {
		require.Equal(t, i, p.Index)
		require.Equal(t, data.Test.Label(i), p.Label)
		if p.Wrong() {
			wrong++
		}
		loss += p.Loss
	}
	require.InDelta(t, score.Error, 100*wrong/float64(len(predictions)), 1e-9)
	require.InDelta(t, score.Loss, loss/float64(len(predictions)), 1e-5)
	for i, row := range training.Confusion(predictions, len(data.Classes)) {
		diagonal += float64(row[i])
		for _, n := range row {
			all += float64(n)
		}
	}
	require.Equal(t, wrong, all-diagonal)
	worst := training.Worst(predictions, 5)
	require.Len(t, worst, 5)
	for i, p := range worst {
		require.True(t, p.Wrong())
		require.LessOrEqual(t, p.Loss, worst[max(0, i-1)].Loss)
	}
}

// A removed block counts as little as one whose survival probability is next to nothing (Eq. 5), and it comes back.
func TestRemove(t *testing.T) {
	whole := []float64{0.9, 0.8, 0.7, 0.6, 0.5, 0.4} // of the six blocks
	loss := func(m *training.Model, data *dataset.Data) float64 {
		score, err := m.Evaluate(context.Background(), data.Test)
		require.NoError(t, err)
		return score.Loss
	}
	for _, removed := range [][]int{{2}, {3}, {1, 4, 6}} { // 3 and 5 begin a group
		faint := append([]float64{}, whole...)
		for _, block := range removed {
			faint[block-1] = 1e-12
		}
		list := func(p []float64) func(*runs.Recipe) {
			return func(r *runs.Recipe) { r.Rule, r.DeathRate, r.SurvivalProbabilities = "list", 0, p }
		}
		m, data := explored(t, list(whole))
		other, _ := explored(t, list(faint))
		before := loss(m, data)
		putBack, err := m.Remove(removed...)
		require.NoError(t, err)
		require.InDelta(t, loss(other, data), loss(m, data), 1e-5, "blocks %v", removed)
		require.Greater(t, max(before-loss(m, data), loss(m, data)-before), 1e-3)
		require.NoError(t, putBack())
		require.Equal(t, before, loss(m, data))
	}
	m, data := explored(t, nil)
	_, err := m.Remove(7)
	require.ErrorContains(t, err, "they are 1 to 6")
	errors, err := m.Lesions(context.Background(), data.Test, []int{0, 2, 6}, 3, 1)
	require.NoError(t, err)
	require.Len(t, errors[0], 1)
	require.Len(t, errors[1], 3)
	require.Len(t, errors[2], 1, "there is one way to remove all")
	score, err := m.Evaluate(context.Background(), data.Test)
	require.NoError(t, err)
	require.Equal(t, score.Error, errors[0][0])
}

// Block 1's is what the training step reports; a closed block's is zero; nothing changes.
func TestGradientMagnitudes(t *testing.T) {
	m, data := explored(t, func(r *runs.Recipe) { r.Augment = true })
	batches := training.NewBatches(m.Recipe, m.Network.Survival, data.Train)
	batch := batches.At(1)
	batch.Gates = []float32{1, 1, 0, 1, 0, 1}
	score, err := m.Evaluate(context.Background(), data.Test)
	require.NoError(t, err)
	magnitudes, err := m.GradientMagnitudes(batch)
	require.NoError(t, err)
	require.Len(t, magnitudes, 6)
	for l, magnitude := range magnitudes {
		require.Equal(t, batch.Gates[l] == 0, magnitude == 0, "block %d: %g", l+1, magnitude)
	}
	again, err := m.Evaluate(context.Background(), data.Test)
	require.NoError(t, err)
	require.Equal(t, score, again)

	require.NoError(t, m.SetLearningRate(0.1))
	wait, err := m.Step(batch)
	require.NoError(t, err)
	outcome, err := wait()
	require.NoError(t, err)
	require.InEpsilon(t, outcome.Gradient, magnitudes[0], 1e-4)
}

// At the start of a run, whose gates are all open, the magnitudes are those of its model; later they are others.
func TestRunGradients(t *testing.T) {
	r := tiny(t)
	r.DeathRate, r.Epochs = 0, 1
	run, err := train(t, context.Background(), t.TempDir(), r, nil)
	require.NoError(t, err)
	b, open := backendtest.Open(t), depth.Constant(3)
	before, err := training.RunGradients(b, run, training.Initial, open, 1)
	require.NoError(t, err)
	m, data := explored(t, func(r *runs.Recipe) { r.Depth, r.DeathRate, r.Epochs = 8, 0, 1 })
	magnitudes, err := m.GradientMagnitudes(training.NewBatches(r, open, data.Train).At(0))
	require.NoError(t, err)
	require.InEpsilonSlice(t, magnitudes, before, 1e-4)
	after, err := training.RunGradients(b, run, training.Last, open, 2)
	require.NoError(t, err)
	require.NotEqual(t, before, after)
	half, err := training.RunGradients(b, run, training.Last, depth.Survival{1, 1e-9, 1}, 2)
	require.NoError(t, err)
	require.Zero(t, half[1], "a block that is never open")
	require.Positive(t, half[0])
}

// The pictures to look at are what the compiled augmentation makes, up to rounding to bytes.
func TestAugmented(t *testing.T) {
	m, data := explored(t, func(r *runs.Recipe) { r.Augment = true })
	batch := training.NewBatches(m.Recipe, m.Network.Survival, data.Train).At(0)
	images := make([]float32, len(batch.Pixels))
	for i, p := range batch.Pixels {
		images[i] = float32(p) - m.Normalization.Mean[i%3]
	}
	size := len(batch.Labels)
	out, err := training.Augment(backendtest.Open(t), tensors.FromFlatDataAndDimensions(images, size, 32, 32, 3),
		tensors.FromFlatDataAndDimensions(batch.Augmentation, size, 3))
	require.NoError(t, err)
	moved := batch.Augmented(m.Normalization)
	for i, v := range tensors.MustCopyFlatData[float32](out) {
		require.InDelta(t, v+m.Normalization.Mean[i%3], moved[i], 0.51, "%d", i)
	}
}
