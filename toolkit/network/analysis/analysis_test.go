package analysis_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/analysis"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/runs/recipes"
)

// untrained returns a model of 14 layers with its data, 40 training images in three minibatches, unless the recipe is changed.
func untrained(t *testing.T, change func(*recipes.Recipe)) (*network.Model, *dataset.Data) {
	t.Helper()
	r, err := recipes.Preset("shapes")
	require.NoError(t, err)
	r.Depth, r.DeathRate, r.BatchSize, r.Augment = 14, 0.5, 16, "shift"
	r.TrainImages, r.ValidationImages, r.TestImages = 40, 20, 20
	if change != nil {
		change(&r)
	}
	net, err := network.Open(backendtest.Open(t), r, "")
	require.NoError(t, err)
	return net.Model, net.Data
}

func evaluate(t *testing.T, m *network.Model, data *dataset.Data) network.Score {
	t.Helper()
	score, err := m.Evaluate(t.Context(), data.Test)
	require.NoError(t, err)
	return score
}

// The errors and losses of single images agree with the evaluation, also when the last batch is filled up.
func TestClassify(t *testing.T) {
	m, data := untrained(t, func(r *recipes.Recipe) { r.Depth, r.TestImages = 8, 510 })
	score := evaluate(t, m, data)
	predictions, err := analysis.Classify(t.Context(), m, data.Test)
	require.NoError(t, err)
	require.Len(t, predictions, data.Test.Len())
	var wrong, loss, diagonal, all float64
	for i, p := range predictions {
		require.Equal(t, i, p.Index)
		require.Equal(t, data.Test.Label(i), p.Label)
		if p.Wrong() {
			wrong++
			require.LessOrEqual(t, math.Exp(-p.Loss), p.Confidence, "the true class is less probable")
		} else {
			require.InDelta(t, math.Exp(-p.Loss), p.Confidence, 1e-6)
		}
		require.InDelta(t, 0.55, p.Confidence, 0.4500001, "from a tenth, for ten classes, to 1")
		loss += p.Loss
	}
	require.InDelta(t, score.Error, 100*wrong/float64(len(predictions)), 1e-9)
	require.InDelta(t, score.Loss, loss/float64(len(predictions)), 1e-5)
	for i, row := range analysis.Confusion(predictions, len(data.Classes)) {
		diagonal += float64(row[i])
		for _, n := range row {
			all += float64(n)
		}
	}
	require.Equal(t, wrong, all-diagonal)
	worst := analysis.Worst(predictions, 5)
	require.Len(t, worst, 5)
	for i, p := range worst {
		require.True(t, p.Wrong())
		require.LessOrEqual(t, p.Loss, worst[max(0, i-1)].Loss)
	}
}

// A removed block has the same effect as one whose survival probability is almost zero (Eq. 5), and it comes back.
func TestRemove(t *testing.T) {
	whole := []float64{0.9, 0.8, 0.7, 0.6, 0.5, 0.4}       // of the six blocks
	for _, removed := range [][]int{{2}, {3}, {1, 4, 6}} { // 3 and 5 begin a group
		faint := append([]float64{}, whole...)
		for _, block := range removed {
			faint[block-1] = 1e-12
		}
		list := func(p []float64) func(*recipes.Recipe) {
			return func(r *recipes.Recipe) { r.Rule, r.DeathRate, r.SurvivalProbabilities = "list", 0, p }
		}
		m, data := untrained(t, list(whole))
		other, _ := untrained(t, list(faint))
		before := evaluate(t, m, data)
		putBack, err := analysis.Remove(m, removed...)
		require.NoError(t, err)
		without := evaluate(t, m, data)
		require.InDelta(t, evaluate(t, other, data).Loss, without.Loss, 1e-5, "blocks %v", removed)
		require.Greater(t, max(before.Loss-without.Loss, without.Loss-before.Loss), 1e-3)
		require.NoError(t, putBack())
		require.Equal(t, before, evaluate(t, m, data))
	}
	m, _ := untrained(t, nil)
	_, err := analysis.Remove(m, 7)
	require.ErrorContains(t, err, "the blocks are 1 to 6")
}

func TestLesions(t *testing.T) {
	m, data := untrained(t, nil)
	percent, err := analysis.Lesions(t.Context(), m, data.Test, []int{0, 2, 6}, 3, 1)
	require.NoError(t, err)
	require.Len(t, percent[0], 1)
	require.Len(t, percent[1], 3)
	require.Len(t, percent[2], 1, "there is one way to remove all")
	require.Equal(t, evaluate(t, m, data).Error, percent[0][0], "all blocks are back")
	_, err = analysis.Lesions(t.Context(), m, data.Test, []int{7}, 1, 1)
	require.ErrorContains(t, err, "7 blocks cannot be removed from 6")
}

// The magnitude of block 1 is the one that the training step reports; a closed block has zero; the network does not change.
func TestGradientMagnitudes(t *testing.T) {
	m, data := untrained(t, nil)
	batch := network.NewBatches(m.Recipe, m.Network.Survival, data.Train).At(1)
	batch.Gates = []float32{1, 1, 0, 1, 0, 1}
	score := evaluate(t, m, data)
	magnitudes, err := analysis.GradientMagnitudes(m, batch)
	require.NoError(t, err)
	require.Len(t, magnitudes, 6)
	for l, magnitude := range magnitudes {
		require.Equal(t, batch.Gates[l] == 0, magnitude == 0, "block %d: %g", l+1, magnitude)
	}
	require.Equal(t, score, evaluate(t, m, data))

	require.NoError(t, m.SetLearningRate(0.1))
	wait, err := m.Step(batch)
	require.NoError(t, err)
	outcome, err := wait()
	require.NoError(t, err)
	require.InEpsilon(t, outcome.Gradient, magnitudes[0], 1e-4)
}

// The mean of a block is over the minibatches in which it was open. The gates follow the given probabilities from the first
// minibatch on, whatever the recipe's schedule, and there are no more minibatches than in an epoch.
func TestMeanGradients(t *testing.T) {
	m, data := untrained(t, func(r *recipes.Recipe) { r.Depth, r.SurvivalSchedule = 8, "late" })
	survival := depth.Survival{1, 1e-9, 0.5}
	steady := m.Recipe
	steady.SurvivalSchedule = "constant"
	batches := network.NewBatches(steady, survival, data.Train)
	sums, open := make([]float64, 3), make([]float64, 3)
	for step := range int64(3) {
		batch := batches.At(step)
		magnitudes, err := analysis.GradientMagnitudes(m, batch)
		require.NoError(t, err)
		for l, magnitude := range magnitudes {
			sums[l] += magnitude
			open[l] += float64(batch.Gates[l])
		}
	}
	require.Equal(t, []float64{3, 0}, open[:2])
	require.Contains(t, []float64{1, 2}, open[2], "with this seed it is open in some")
	mean, err := analysis.MeanGradients(m, data.Train, survival, 100)
	require.NoError(t, err)
	require.InEpsilon(t, sums[0]/3, mean[0], 1e-6)
	require.Zero(t, mean[1], "a block that is never open")
	require.InEpsilon(t, sums[2]/open[2], mean[2], 1e-6)
}

// With gates per sample the mean depends on how often a block's gates were open: it is roughly that of gates per minibatch,
// and no index is outside the minibatch's gates.
func TestMeanGradientsPerSample(t *testing.T) {
	m, data := untrained(t, func(r *recipes.Recipe) { r.Depth, r.GatesPer = 8, "sample" })
	perSample, err := analysis.MeanGradients(m, data.Train, m.Network.Survival, 3)
	require.NoError(t, err)
	open, err := analysis.MeanGradients(m, data.Train, depth.Constant(3), 3)
	require.NoError(t, err)
	for l := range perSample {
		require.Greater(t, perSample[l], open[l]/10, "block %d", l+1)
		require.Less(t, perSample[l], open[l]*10, "block %d", l+1)
	}
}
