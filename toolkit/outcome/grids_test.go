package outcome

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

func TestAverage(t *testing.T) {
	require.Equal(t, Estimate{Mean: 5, N: 1}, Average(5))
	e := Average(1, 2, 3)
	require.InDelta(t, 2, e.Mean, 1e-12)
	require.InDelta(t, 1, e.Deviation, 1e-12)
}

// Fig. 8 takes any list of runs: seeds are averaged, settings without a run stay empty.
func TestRunsAreAveragedOverSeedsByTheirSettings(t *testing.T) {
	var list []*runs.Run
	for _, layers := range []int{20, 56} {
		for _, deathRate := range []float64{0, 0.3, 0.5} {
			for seed := int64(1); seed <= 3; seed++ {
				if layers == 56 && deathRate == 0.3 {
					continue
				}
				run := seeded(deathRate, 3, 5)[0]
				run.Recipe.Depth, run.Recipe.Seed = layers, seed
				for i := range run.Rows {
					run.Rows[i].TestError, run.Rows[i].ValidationError = float64(layers)+deathRate+float64(seed), float64(3-i)
				}
				list = append(list, run)
			}
		}
	}
	grid, err := GridOf(list)
	require.NoError(t, err)
	require.Equal(t, []int{20, 56}, grid.Layers)
	require.Equal(t, []float64{1, 0.7, 0.5}, grid.Survival)
	require.InDelta(t, 22.3, grid.Errors[1][0].Mean, 1e-9)
	require.InDelta(t, 1, grid.Errors[1][0].Deviation, 1e-9)
	require.Equal(t, 3, grid.Errors[1][0].N)
	require.True(t, math.IsNaN(grid.Errors[1][1].Mean))

	swept, err := SurvivalErrorsOf(list[:9])
	require.NoError(t, err)
	require.InDelta(t, 22, swept.Constant.Mean, 1e-9)
	require.Len(t, swept.Linear, 2)
	require.Equal(t, 1, swept.Digits, "of 1,000 test images")
	require.Equal(t, 0.5, swept.Linear[0].Survival)
	require.InDelta(t, 9/6.5, swept.Linear[0].SpeedUp, 1e-9)
	_, err = SurvivalErrorsOf(list)
	require.ErrorContains(t, err, "cannot be compared, their recipes differ in depth: 20, 56")

	// With a schedule and with other blocks, the speed-up follows from what the networks leave out: a ramp over the whole
	// training closes half as many blocks, so that (9 - 1.25) of 9 are open; 29 layers of bottleneck are nine blocks too,
	// and of the 12 blocks of a transformer 8.75 are open on average.
	for want, change := range map[float64]func(*recipes.Recipe){
		9 / 7.75:  func(r *recipes.Recipe) { r.SurvivalSchedule, r.ScheduleFraction = "ramp", 1 },
		9 / 6.5:   func(r *recipes.Recipe) { r.Block, r.Depth = "bottleneck", 29 },
		12 / 8.75: func(r *recipes.Recipe) { r.Block, r.Depth = "transformer", 12 },
	} {
		run := seeded(0.5, 3, 5)[0]
		change(&run.Recipe)
		swept, err := SurvivalErrorsOf([]*runs.Run{run})
		require.NoError(t, err)
		require.InDelta(t, want, swept.Linear[0].SpeedUp, 1e-9)
	}

	// Rules that Fig. 8 left does not have are refused by their names.
	for rule, want := range map[string]string{
		"list": "has no p_L: its survival probabilities are a list", "linear-short": "has the rule linear-short: the figure is for linear and uniform",
	} {
		run := seeded(0, 3, 5)[0]
		if run.Recipe.Rule = rule; rule == "list" {
			run.Recipe.SurvivalProbabilities = []float64{1, 1, 1, 1, 1, 1, 1, 1, 0.5}
		} else {
			run.Recipe.DeathRate = 0.5
		}
		_, err := SurvivalErrorsOf([]*runs.Run{run})
		require.ErrorContains(t, err, want)
	}

	// A run that closes its blocks in another way is no second value of one setting.
	for key, change := range map[string]func(*recipes.Recipe){
		"survival_schedule: constant, early": func(r *recipes.Recipe) { r.SurvivalSchedule = "early" },
		"gates_per: minibatch, sample":       func(r *recipes.Recipe) { r.GatesPer = "sample" },
		"scale_at: test, train":              func(r *recipes.Recipe) { r.ScaleAt = "train" },
		"freeze_closed: false, true":         func(r *recipes.Recipe) { r.FreezeClosed = true },
	} {
		steady, other := seeded(0.5, 3, 5)[0], seeded(0.3, 3, 5)[0]
		change(&other.Recipe)
		mixed := []*runs.Run{seeded(0, 3, 5)[0], steady, other}
		_, ofGrid := GridOf(mixed)
		_, ofSweep := SurvivalErrorsOf(mixed)
		other.Recipe.Depth = 38
		_, ofBars := DepthErrorsOf(mixed)
		for _, err := range []error{ofGrid, ofSweep, ofBars} {
			require.EqualError(t, err, "the runs stochastic-epochs=3-s1 and stochastic-epochs=3-s1 are of two stochastic settings, "+
				"their recipes differ in "+key+": name those of one")
		}
	}

	bars, err := DepthErrorsOf(list[:3])
	require.NoError(t, err)
	require.True(t, math.IsNaN(bars[0].Stochastic.Mean))
	_, err = DepthErrorsOf(list)
	require.EqualError(t, err, "the runs have more than one stochastic setting at 20 layers: name those of one")
	require.Contains(t, Conditions(list), "20 and 56 layers; linear rule, p_L = 0.5 and 0.7; 3 epochs; "+
		"15 runs (n = 3), seeds 1, 2 and 3")
}
