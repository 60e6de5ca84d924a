package analysis_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/analysis"
	"stochdepth/toolkit/runs/recipes"
)

// The probabilities are those of Classify, also when the last batch is filled up.
func TestProbabilities(t *testing.T) {
	m, data := untrained(t, func(r *recipes.Recipe) { r.Depth, r.TestImages = 8, 510 })
	probabilities, err := analysis.Probabilities(t.Context(), m, data.Test)
	require.NoError(t, err)
	predictions, err := analysis.Classify(t.Context(), m, data.Test)
	require.NoError(t, err)
	require.Len(t, probabilities, len(predictions))
	for i, p := range predictions {
		require.InDelta(t, p.Confidence, probabilities[i][p.Predicted], 1e-6)
		require.InDelta(t, math.Exp(-p.Loss), probabilities[i][p.Label], 1e-6)
	}
}

// In a pass an open branch is not scaled, or divided by its survival probability if the network is trained so, and a closed one
// is removed. The result is the mean of the passes, and the network is as before.
func TestMonteCarlo(t *testing.T) {
	small := func(scaleAt string) func(*recipes.Recipe) {
		return func(r *recipes.Recipe) { r.Depth, r.ScaleAt = 8, scaleAt }
	}
	plain, data := untrained(t, small("test")) // whose branches are scaled by any number
	const passes, seed = 3, 5
	for _, scaleAt := range []string{"test", "train"} {
		m, _ := untrained(t, small(scaleAt))
		before := evaluate(t, m, data)
		survival, err := m.CurrentSurvival()
		require.NoError(t, err)
		var all [][][]float64
		closed := 0
		for pass := range int64(passes) {
			scales := make(depth.Survival, len(survival))
			for i, open := range survival.Draw(depth.Rand(seed, depth.GateDraws, pass)) {
				switch {
				case !open:
					closed++
				case scaleAt == "train":
					scales[i] = 1 / survival[i]
				default:
					scales[i] = 1
				}
			}
			require.NoError(t, plain.SetSurvival(scales))
			one, err := analysis.Probabilities(t.Context(), plain, data.Test)
			require.NoError(t, err)
			all = append(all, one)
		}
		require.Positive(t, closed)
		var called []int
		got, err := analysis.MonteCarlo(t.Context(), m, data.Test, passes, seed, func(pass int) { called = append(called, pass) })
		require.NoError(t, err)
		require.Equal(t, []int{1, 2, 3}, called)
		for i, want := range analysis.Mean(all...) {
			require.InDeltaSlice(t, want, got[i], 1e-6, scaleAt)
		}
		require.Equal(t, before, evaluate(t, m, data), "the network is as before")
	}
	_, err := analysis.MonteCarlo(t.Context(), plain, data.Test, 0, seed, nil)
	require.ErrorContains(t, err, "at least 1")
}
