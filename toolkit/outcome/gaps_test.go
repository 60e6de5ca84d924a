package outcome

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
)

// lengths returns runs of three seeds each, for five lengths of training: at 8 epochs constant depth is ahead.
func lengths() []*runs.Run {
	var list []*runs.Run
	for i, epochs := range []int{8, 16, 32, 64, 128} {
		constant := 38 - 4*float64(i)
		gap := []float64{6, 1, -2, -3.5, -4}[i]
		list = append(list, seeded(0, epochs, constant, constant+1, constant-1)...)
		list = append(list, seeded(0.2, epochs, constant+gap, constant+gap+1.6, constant+gap-1.9)...)
	}
	return list
}

func TestGaps(t *testing.T) {
	list := lengths()
	slices.Reverse(list)
	gaps, err := GapsOf(list)
	require.NoError(t, err)
	require.Len(t, gaps, 5)
	require.Equal(t, []int{8, 128}, []int{gaps[0].Epochs, gaps[4].Epochs})
	// The differences after 8 epochs are 6, 6.6 and 5.1: mean 5.9, variance (0.01 + 0.49 + 0.64) / 2.
	require.InDelta(t, 5.9, gaps[0].Difference, 1e-9)
	require.InDelta(t, math.Sqrt(0.57/3), gaps[0].StandardError, 1e-9)
	require.InDelta(t, 4.303*math.Sqrt(0.57/3), gaps[0].Margin(), 1e-3)
	require.Equal(t, [2]int{0, 3}, [2]int{gaps[0].Wins, gaps[2].Wins})
	require.InDelta(t, 1, gaps[3].Constant.Deviation, 1e-9)

	// Longer trainings may be evaluated more rarely.
	for _, run := range list {
		if run.Recipe.Epochs > 32 {
			run.Recipe.EvaluateEvery, run.Recipe.TestEvery = 100, 5
		}
	}
	_, err = GapsOf(list)
	require.NoError(t, err)

	_, err = GapsOf(list[1:])
	require.EqualError(t, err, "the run constant-epochs=128-s3 has no partner of stochastic depth with seed 3 and 128 epochs to "+
		"be compared with")
	_, err = GapsOf(slices.Concat(seeded(0.2, 8, 1), seeded(0, 4, 1)))
	require.EqualError(t, err, "the run constant-epochs=4-s1 has no partner of stochastic depth with seed 1 and 4 epochs to "+
		"be compared with")
	_, err = GapsOf(slices.Concat(seeded(0, 8, 1), seeded(0.2, 8, 1), seeded(0, 4, 1), seeded(0.5, 4, 1)))
	require.EqualError(t, err, "the runs stochastic-epochs=8-s1 and stochastic-epochs=4-s1 are of two stochastic settings: "+
		"name those of one")
	deeper := seeded(0.2, 8, 1)
	deeper[0].Recipe.Depth = 38
	_, err = GapsOf(slices.Concat(seeded(0, 8, 1), deeper))
	require.EqualError(t, err, "the runs constant-epochs=8-s1 and stochastic-epochs=8-s1 cannot be compared, "+
		"their recipes differ in depth: 20, 38")
}

func TestGapHeadline(t *testing.T) {
	for want, differences := range map[string][]float64{
		"Stochastic depth overtakes constant depth between 16 and 32 epochs": {5, 1, -1, -2},
		"Constant depth overtakes stochastic depth between 8 and 16 epochs":  {-5, 1},
		"Stochastic depth is ahead at every length of training":              {-5, -1, -0.1},
		"Stochastic depth is behind at every length of training":             {5, 1},
		"Stochastic depth is not ahead at any length of training":            {5, 0},
		"Stochastic depth is ahead after 8 and 32 epochs, not after 16":      {-5, 1, -1},
		"Stochastic depth is ahead after 16 epochs, not after 8":             {0, -1},
		"Stochastic depth is ahead after 8 epochs":                           {-1},
		"Stochastic depth is behind after 8 epochs":                          {1},
	} {
		var gaps []Gap
		for i, d := range differences {
			gaps = append(gaps, Gap{8 << i, Comparison{Contrast: Contrast{Difference: d, StandardError: 0.6}}})
		}
		require.Equal(t, want, Overtaking(gaps))
	}
	gap := func(difference float64) Gap { // of three seeds, with a standard error of 1
		return Gap{8, Comparison{Contrast: Contrast{Difference: difference, StandardError: 1, Degrees: 2}}}
	}
	gaps := []Gap{gap(4.31), gap(-4.29), gap(-4.31)}
	gaps[2].Epochs = 32
	require.Equal(t, "It leaves out zero (p < 0.05) after 8 and 32 epochs.", ClearGaps(gaps))
	require.Equal(t, "No interval leaves out zero (p < 0.05).", ClearGaps(gaps[1:2]))
	require.Equal(t, "One seed each: there is no interval.",
		ClearGaps([]Gap{{8, Comparison{Contrast: Contrast{StandardError: math.NaN(), Degrees: math.NaN()}}}}))
}
