package outcome

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// The headline is computed, and must not flatter.
func TestHeadline(t *testing.T) {
	for name, test := range map[string]struct {
		errors, seconds [2][]float64 // of the seeds
		images          int
		machine         string // of the constant runs
		want            string
	}{
		"the paper's numbers": {pairOf(6.41, 5.25), pairOf(74520, 54420), 0, "",
			"Stochastic depth: test error 5.25 % instead of 6.41 %, in 27 % less training time"},
		"worse and slower": {pairOf(6, 7.06), pairOf(100, 110), 500, "",
			"Stochastic depth: higher test error, 7.1 % instead of 6.0 %, in 10 % more training time"},
		"equal": {pairOf(6, 6.001), pairOf(100, 100.1), 0, "",
			"Stochastic depth: the same test error, 6.00 %, in the same training time"},
		"no times":     {pairOf(6, 5), pairOf(0, 0), 0, "", "Stochastic depth: test error 5.00 % instead of 6.00 %"},
		"two machines": {pairOf(6, 5), pairOf(100, 50), 0, "another", "Stochastic depth: test error 5.00 % instead of 6.00 %"},
		"three seeds": {[2][]float64{{20, 21, 22}, {15.5, 16, 17.5}}, [2][]float64{{100, 110, 120}, {80, 90, 100}}, 1000, "",
			"Stochastic depth: test error 16.3 ± 1.0 % instead of 21.0 ± 1.0 %, in 18 % less training time"},
		"equal means": {[2][]float64{{20, 22}, {21, 21}}, pairOf(0, 0), 1000, "",
			"Stochastic depth: the same mean test error, 21.0 ± 0.0 % and 21.0 ± 1.4 %"},
	} {
		t.Run(name, func(t *testing.T) {
			var sides [2][]*runs.Run
			for i, testErrors := range test.errors {
				for seed, e := range testErrors {
					run := &runs.Run{Recipe: recipes.Recipe{TestImages: test.images, Seed: int64(seed), DeathRate: float64(i) / 2},
						Result: &runs.Result{Session: runs.Session{Machine: "one"}}}
					run.Rows = []runs.Row{{TestError: e, Seconds: test.seconds[i][min(seed, len(test.seconds[i])-1)]}}
					if i == 0 && test.machine != "" {
						run.Result.Machine = test.machine
					}
					sides[i] = append(sides[i], run)
				}
			}
			c, err := Compare(sides[0], sides[1])
			require.NoError(t, err)
			require.Equal(t, test.want, strings.ReplaceAll(c.Headline(), "\u00a0", " "))
		})
	}
}

// A stopped run is not finished, whatever its error, and its time is not compared, since its number of steps differs.
func TestHeadlineOfAStoppedRun(t *testing.T) {
	made := func(deathRate, testError, epochs float64) []*runs.Run {
		return []*runs.Run{{Recipe: recipes.Recipe{TestImages: 1000, Epochs: 120, DeathRate: deathRate},
			Rows: []runs.Row{{TestError: testError, Epoch: epochs, Step: int64(16 * epochs), Seconds: epochs}}}}
	}
	for epochs, want := range map[float64]string{
		120: "Stochastic depth: higher test error, 44.0 % instead of 38.0 %, in the same training time",
		60:  "Stochastic depth so far: higher test error, 44.0 % instead of 38.0 %",
	} {
		c, err := Compare(made(0, 38, 120), made(0.5, 44, epochs))
		require.NoError(t, err)
		require.Equal(t, want, strings.ReplaceAll(c.Headline(), "\u00a0", " "))
		if epochs == 60 {
			require.Equal(t, "constant depth after 120 of 120 epochs, stochastic depth after 60 of 120 epochs", c.SoFar())
			require.ErrorIs(t, c.NoTimeSaved, ErrSteps)
		}
	}
}

func pairOf(constant, stochastic float64) [2][]float64 {
	return [2][]float64{{constant}, {stochastic}}
}

// What is said below the headline: in how many seeds stochastic depth is ahead, and what the recorded runs mean for a
// reader's own pair.
func TestBelowTheHeadline(t *testing.T) {
	made := func(deathRate float64, first int64, testErrors ...float64) []*runs.Run {
		var list []*runs.Run
		for i, e := range testErrors {
			recipe := recipes.Default()
			recipe.Seed, recipe.DeathRate, recipe.TestImages = first+int64(i), deathRate, 1000
			list = append(list, &runs.Run{Name: "run", Recipe: recipe, Rows: []runs.Row{{TestError: e}}})
		}
		return list
	}
	compared := func(constant, stochastic []*runs.Run) Comparison {
		c, err := Compare(constant, stochastic)
		require.NoError(t, err)
		return c
	}
	constant, stochastic := made(0, 1, 20, 21, 22), made(0.2, 1, 16, 22, 17)
	recorded := compared(constant, stochastic)
	// -4, 1 and -5: mean -8/3, variance 31/3, and 4.303 standard errors of 1.856. -4 and 1: 12.706 of 2.5.
	require.Equal(t, "Lower error in 2 of 3 seeds: paired difference −2.7 points, 95 % interval −10.7 to +5.3 (Student's t).",
		recorded.InSeeds())
	require.Equal(t, "Lower error in 1 of 2 seeds: paired difference −1.5 points, 95 % interval −33.3 to +30.3 (Student's t).",
		compared(constant, stochastic[:2]).InSeeds())
	require.Equal(t, "1 run of constant and 2 of stochastic depth, with different seeds: "+
		"difference −0.5 points.", compared(constant[:1], stochastic[1:]).InSeeds())
	require.Empty(t, compared(constant[:1], stochastic[:1]).InSeeds())

	beside := func(c Comparison) string { return c.Beside(recorded) }
	require.Equal(t, "Recorded with 3 other seeds: 18.3 ± 3.2 % instead of 21.0 ± 1.0 %, lower in 2 of 3.",
		beside(compared(made(0, 7, 20), made(0.2, 7, 16))))
	require.Equal(t, "This seed came out differently from the recorded mean: 18.3 ± 3.2 % instead of 21.0 ± 1.0 % with 3 seeds, "+
		"including this one, lower in 2 of 3.",
		beside(compared(made(0, 2, 21), made(0.2, 2, 22))))
	other := compared(made(0, 7, 20), made(0.5, 7, 16))
	other.ConstantRuns[0].Recipe.Epochs, other.StochasticRuns[0].Recipe.Epochs = 8, 8
	require.Equal(t, "The recorded runs have another recipe (different epochs and death_rate): "+
		"they say nothing about this pair.", beside(other))
	untested, err := CompareBy(ValidationError, made(0, 7, math.NaN()), made(0.2, 7, math.NaN()))
	require.NoError(t, err)
	require.Equal(t, "Recorded with 3 other seeds: test error 18.3 ± 3.2 % instead of 21.0 ± 1.0 %, "+
		"lower in 2 of 3.", beside(untested))
}
