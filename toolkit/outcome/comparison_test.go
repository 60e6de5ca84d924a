package outcome

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

func TestCompare(t *testing.T) {
	constant, stochastic := seeded(0, 6, 20, 21, 22), seeded(0.2, 6, 17, 16, 22.5)
	c, err := Compare(constant, stochastic)
	require.NoError(t, err)
	require.Equal(t, 3, c.N)
	require.InDelta(t, 21, c.Constant.Mean, 1e-9)
	require.InDelta(t, 1, c.Constant.Deviation, 1e-9)
	require.InDelta(t, 18.5, c.Stochastic.Mean, 1e-9)
	// Paired: -3, -5 and 0.5, of mean -2.5 and variance (0.25 + 6.25 + 9) / 2 = 7.75.
	require.InDelta(t, -2.5, c.Difference, 1e-9)
	require.InDelta(t, math.Sqrt(7.75/3), c.StandardError, 1e-9)
	low, high := c.Interval() // the quantile is 4.303 at 2 degrees of freedom
	require.InDelta(t, -2.5-4.303*1.6073, low, 2e-3)
	require.InDelta(t, -2.5+4.303*1.6073, high, 2e-3)
	require.False(t, c.Clear())
	require.Equal(t, [2]int{3, 2}, [2]int{c.Pairs, c.Wins})
	require.InDelta(t, 1.0/9, c.BlocksSaved, 1e-9)
	require.InDelta(t, 0.1, c.TimeSaved, 1e-9)
	require.InDelta(t, 60, c.ConstantTime.Mean, 1e-9)
	require.True(t, math.IsNaN(c.TimeSavedMargin), "all seeds took equally long")
	require.Equal(t, "stochastic depth 18.5 ± 3.5 % instead of 21.0 ± 1.0 %, lower in 2 of 3 seeds", c.String())

	// The order of the seeds does not matter, and a seed that one side lacks is left out: the differences are -5 and -3, of
	// variance 2. Four standard errors are not enough for two seeds.
	stochastic[0], stochastic[2] = stochastic[2], stochastic[0]
	again, err := Compare(constant, stochastic)
	require.NoError(t, err)
	require.InDelta(t, c.StandardError, again.StandardError, 1e-12)
	c, err = Compare(constant, stochastic[1:])
	require.NoError(t, err)
	require.Equal(t, [5]int{2, 2, 2, 2, 2}, [5]int{c.N, c.Pairs, c.Wins, len(c.ConstantRuns), len(c.StochasticRuns)})
	require.InDelta(t, 20.5, c.Constant.Mean, 1e-9)
	require.InDelta(t, -4, c.Difference, 1e-9)
	require.InDelta(t, 1, c.StandardError, 1e-9)
	require.InDelta(t, 12.706, c.Margin(), 1e-3)
	require.False(t, c.Clear())

	// Without a shared seed the interval is Welch's: s² is 1 and 1/2, n is 3 and 2, and there are (1/3 + 1/4)² / (1/9/2 +
	// 1/16/1) degrees of freedom, whose quantile is between those of 2 and 3.
	others := seeded(0.2, 6, 17, 16)
	for _, run := range others {
		run.Recipe.Seed += 10
	}
	c, err = Compare(constant, others)
	require.NoError(t, err)
	require.Equal(t, [3]int{2, 0, 0}, [3]int{c.N, c.Pairs, c.Wins})
	require.InDelta(t, 16.5-21, c.Difference, 1e-9)
	require.InDelta(t, math.Sqrt(1.0/3+0.5/2), c.StandardError, 1e-9)
	require.InDelta(t, 2.8824, c.Degrees, 1e-4)
	require.InDelta(t, 3.26*0.7638, c.Margin(), 0.01)
	require.True(t, c.Clear())

	// One run of each has no spread.
	c, err = Compare(constant[:1], stochastic[2:])
	require.NoError(t, err)
	require.True(t, math.IsNaN(c.StandardError) && !c.Clear())
	require.Equal(t, [2]int{1, 1}, [2]int{c.Pairs, c.Wins})

	// Without a recorded time, or on two machines, no time is said to be saved.
	stochastic[0].Result = &runs.Result{Session: runs.Session{Machine: "another"}}
	c, err = Compare(constant, stochastic)
	require.NoError(t, err)
	require.True(t, math.IsNaN(c.TimeSaved) && math.IsNaN(c.TimeSavedMargin))
	require.EqualError(t, c.NoTimeSaved, "the training times of constant-epochs=6-s1 and stochastic-epochs=6-s3 cannot be "+
		"compared: the machines differ")
	require.Equal(t, 3, c.StochasticTime.N)
	stochastic[1].Rows[5].Seconds, stochastic[1].Rows[2].OpenBlocksMean = math.NaN(), math.NaN()
	c, err = Compare(constant, stochastic)
	require.NoError(t, err)
	require.True(t, math.IsNaN(c.BlocksSaved))
	require.Zero(t, c.StochasticTime.N)
}

// The two quantiles that decide for two and for three seeds, from a table of Student's t.
func TestFewSeedsNeedManyStandardErrors(t *testing.T) {
	for degrees, quantile := range map[float64]float64{1: 12.706, 2: 4.303, 4: 2.776, 30: 2.042} {
		c := Contrast{Difference: -2.5, StandardError: 1, Degrees: degrees}
		require.InDelta(t, quantile, c.Margin(), 1e-3)
		require.Equal(t, quantile < 2.5, c.Clear())
	}
}

// A hard seed that only constant depth has would turn the sign: over the shared ones the difference is +1.00.
func TestOnlySharedSeedsAreCompared(t *testing.T) {
	constant, stochastic := seeded(0, 3, 10, 12, 40), seeded(0.2, 3, 11, 13)
	constant[2].Rows[2].Seconds = 1000
	c, err := Compare(constant, stochastic)
	require.NoError(t, err)
	contrast, err := ContrastOf(TestError, constant, stochastic)
	require.NoError(t, err)
	require.Equal(t, contrast, c.Contrast)
	require.InDelta(t, 1, c.Difference, 1e-9)
	require.InDelta(t, 0, c.StandardError, 1e-9)
	require.True(t, math.IsNaN(c.Margin()) && !c.Clear(), "equal differences have no interval")
	require.InDelta(t, 0.1, c.TimeSaved, 1e-9)
	require.Contains(t, Conditions(slices.Concat(constant, stochastic)), "seeds 1, 2 and 3, not the same for all settings")
}

// Ratios are paired too: a slow seed is slow for both.
func TestTimeSaved(t *testing.T) {
	constant, stochastic := seeded(0, 6, 20, 21), seeded(0.2, 6, 17, 16)
	last := func(run *runs.Run) *runs.Row { return &run.Rows[len(run.Rows)-1] }
	last(constant[1]).Seconds, last(stochastic[1]).Seconds = 120, 96 // twice as slow: ratios of 0.9 and 0.8
	saved, margin, err := TimeSaved(constant, stochastic)
	require.NoError(t, err)
	require.InDelta(t, 0.15, saved, 1e-9)
	require.InDelta(t, 12.706*0.05, margin, 1e-3)

	for _, run := range stochastic { // Welch's: 60 and 120, and 54 and 96; relative errors of 1/3 and 0.28
		run.Recipe.Seed += 10
	}
	saved, margin, err = TimeSaved(constant, stochastic)
	require.NoError(t, err)
	require.InDelta(t, 1-75.0/90, saved, 1e-9)
	v1, v2 := 1.0/9, 0.28*0.28
	degrees := (v1 + v2) * (v1 + v2) / (v1*v1 + v2*v2)
	require.InDelta(t, 75.0/90*Contrast{StandardError: math.Sqrt(v1 + v2), Degrees: degrees}.Margin(), margin, 1e-9)

	stopped := seeded(0.2, 6, 17)
	stopped[0].Rows = stopped[0].Rows[:3]
	_, _, err = TimeSaved(constant[:1], stopped)
	require.EqualError(t, err, "the training times of constant-epochs=6-s1 and stochastic-epochs=6-s1 cannot be compared: "+
		"the numbers of steps differ, 96 and 48")
	require.ErrorIs(t, err, ErrSteps)
}

// A run that was stopped half-way does not pass for a finished one.
func TestUnfinishedRuns(t *testing.T) {
	constant, stochastic := seeded(0, 6, 20), seeded(0.2, 6, 17)
	stochastic[0].Rows = stochastic[0].Rows[:3]
	stochastic[0].Result = &runs.Result{Status: "stopped", Session: runs.Session{Machine: "example machine", Device: "cpu"}}
	c, err := Compare(constant, stochastic)
	require.NoError(t, err)
	require.True(t, math.IsNaN(c.TimeSaved))
	require.Contains(t, c.String(), "seeds (constant depth after 6 of 6 epochs, stochastic depth after 3 of 6 epochs)")
	require.Contains(t, Conditions(stochastic), "The run stochastic-epochs=6-s1 has done 3 of 6 epochs.")
}

// Two stochastic settings can be contrasted too, with the standard errors of Compare.
func TestContrastOf(t *testing.T) {
	first, second := seeded(0.2, 6, 20, 21, 22), seeded(0.5, 6, 17, 16, 22.5)
	c, err := ContrastOf(TestError, first, second)
	require.NoError(t, err)
	require.InDelta(t, -2.5, c.Difference, 1e-9)
	require.InDelta(t, math.Sqrt(7.75/3), c.StandardError, 1e-9)
	require.Equal(t, [2]int{3, 2}, [2]int{c.Pairs, c.Wins})

	c, err = ContrastOf(TestError, first[:2], second) // of the shared seeds: -3 and -5
	require.NoError(t, err)
	require.Equal(t, [2]int{2, 2}, [2]int{c.Pairs, c.Wins})
	require.InDelta(t, 1, c.StandardError, 1e-9)

	c, err = ContrastOf(TestError, first[:1], second[:1])
	require.NoError(t, err)
	require.InDelta(t, -3, c.Difference, 1e-9)
	require.True(t, math.IsNaN(c.StandardError))

	_, err = ContrastOf(TestError, append(first, second[0]), second)
	require.ErrorContains(t, err, "are of two settings: compare one of them at a time")
}

// Open blocks are weighted by the steps of their rows.
func TestBlocksSavedAreOfAllMinibatches(t *testing.T) {
	stochastic := seeded(0.2, 2, 10)
	stochastic[0].Rows[0].Step, stochastic[0].Rows[0].OpenBlocksMean = 30, 9
	stochastic[0].Rows[1].Step, stochastic[0].Rows[1].OpenBlocksMean = 40, 5
	c, err := Compare(seeded(0, 2, 10), stochastic)
	require.NoError(t, err)
	require.InDelta(t, 1-8.0/9, c.BlocksSaved, 1e-9)
}

func TestDataInWords(t *testing.T) {
	for want, change := range map[string]func(*recipes.Recipe){
		"CIFAR-10+ (1000 images)":         func(r *recipes.Recipe) { r.Dataset, r.Augment, r.TrainImages = "cifar10", "shift", 1000 },
		"SVHN":                            func(r *recipes.Recipe) { r.Dataset, r.ImageSize = "svhn", 32 },
		"shapes 64x64+":                   func(r *recipes.Recipe) { r.ImageSize, r.Augment = 64, "shift" },
		"shapes 16x16, crops (10 images)": func(r *recipes.Recipe) { r.ImageSize, r.Augment, r.TrainImages = 16, "crop", 10 },
	} {
		r := recipes.Default()
		r.Dataset = "shapes"
		change(&r)
		require.Equal(t, want, DatasetName(r))
	}
}

func TestWhatCannotBeCompared(t *testing.T) {
	twice := seeded(0.2, 3, 10, 11)
	twice[1].Recipe.Seed = 1
	untested := seeded(0.2, 3, 10)
	untested[0].Rows[2].TestError = math.NaN()
	augmented := seeded(0.2, 3, 10)
	augmented[0].Recipe.Augment = "shift"
	mixed := append(seeded(0.2, 3, 10), seeded(0.5, 3, 10)...)
	for name, test := range map[string]struct {
		constant, stochastic []*runs.Run
		want                 string
	}{
		"nothing": {seeded(0, 3, 10), nil,
			"1 runs of constant and 0 of stochastic depth are no comparison: name one of each at least"},
		"swapped": {seeded(0.2, 3, 10), seeded(0, 3, 10),
			"the run stochastic-epochs=3-s1 is not of constant depth: its death rate must be 0"},
		"constant": {seeded(0, 3, 10), seeded(0, 3, 10),
			"the run constant-epochs=3-s1 is of constant depth, where one of stochastic depth is to be compared"},
		"augmented": {seeded(0, 3, 10), augmented,
			"the runs constant-epochs=3-s1 and stochastic-epochs=3-s1 cannot be compared, their recipes differ in augment: none, shift"},
		"two settings": {seeded(0, 3, 10), mixed,
			"the runs stochastic-epochs=3-s1 and stochastic-epochs=3-s1 are of two stochastic settings: compare one of them at a time"},
		"equal seeds": {seeded(0, 3, 10), twice,
			"the runs stochastic-epochs=3-s1 and stochastic-epochs=3-s2 are one experiment with one seed: they are not two repeats, name one of them"},
		"not tested": {seeded(0, 3, 10), untested, "the run stochastic-epochs=3-s1 has no evaluated epoch to draw yet: train it first"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compare(test.constant, test.stochastic)
			require.EqualError(t, err, test.want)
		})
	}
}

// seeded makes up runs of one setting with the seeds 1, 2, ... and the given selected test errors, each at the last
// epoch. The networks have nine blocks, of which deathRate times 5 are closed on average; an epoch takes ten seconds at
// constant depth.
func seeded(deathRate float64, epochs int, testErrors ...float64) []*runs.Run {
	var list []*runs.Run
	for i, e := range testErrors {
		recipe, err := recipes.Preset("quickstart")
		if err != nil {
			panic(err)
		}
		recipe.DeathRate, recipe.Epochs, recipe.Seed = deathRate, epochs, int64(i+1)
		kind := "constant"
		if deathRate > 0 {
			kind = "stochastic"
		}
		run := &runs.Run{Name: fmt.Sprintf("%s-epochs=%d-s%d", kind, epochs, i+1), Recipe: recipe,
			Result: &runs.Result{Session: runs.Session{Machine: "example machine", Device: "cpu"}}}
		for j := range epochs {
			run.Rows = append(run.Rows, runs.Row{Epoch: float64(j + 1), Step: int64(16 * (j + 1)), ValidationError: e + float64(epochs-j),
				TestError: e + float64(epochs-1-j), OpenBlocksMean: 9 - 5*deathRate, Seconds: 10 * float64(j+1) * (1 - deathRate/2)})
		}
		list = append(list, run)
	}
	return list
}
