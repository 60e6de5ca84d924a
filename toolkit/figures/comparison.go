package figures

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Comparison sets runs of one stochastic setting beside runs of constant depth of the same data, network and optimizer.
// Errors are those of the epochs of the lowest validation errors, as the paper selects them (Section 4).
type Comparison struct {
	ConstantRuns, StochasticRuns []*runs.Run // those compared

	N                    int      // repeats: the smaller of the two numbers of runs
	Constant, Stochastic Estimate // test error, percent
	Contrast                      // stochastic minus constant: below 0 stochastic depth is better

	BlocksSaved                  float64  // fraction of the blocks that the minibatches did not compute; NaN if not recorded
	ConstantTime, StochasticTime Estimate // training time, seconds; N is 0 where a run has none recorded
	TimeSaved, TimeSavedMargin   float64  // fraction of the time at constant depth, see [TimeSaved]; NaN if it is not known
	NoTimeSaved                  error    // why it is not known: times that are not recorded, of other steps or of two machines
}

// Compare compares runs that differ in the seed and in how blocks close only (recipes.StochasticKeys): each list is of one
// setting, the first of constant depth. Of lists that share seeds, the runs of these are compared, and the others left
// alone; see [ContrastBy]. Runs that cannot be compared, two runs of one seed, and runs without a test error at the
// selected epoch are errors.
func Compare(constant, stochastic []*runs.Run) (Comparison, error) {
	return compareBy(testError, constant, stochastic)
}

// compareBy is Compare for the test or the validation error.
func compareBy(m measure, constant, stochastic []*runs.Run) (Comparison, error) {
	if err := sameRegime(constant, stochastic); err != nil {
		return Comparison{ConstantRuns: constant, StochasticRuns: stochastic}, err
	}
	constant, stochastic = OfSharedSeeds(constant, stochastic)
	c := Comparison{ConstantRuns: constant, StochasticRuns: stochastic, N: min(len(constant), len(stochastic))}
	var values [2][]float64
	for i, group := range [][]*runs.Run{constant, stochastic} {
		var err error
		if values[i], err = valuesOf(m.selected, group); err != nil {
			return c, err
		}
	}
	c.Constant, c.Stochastic = Average(values[0]...), Average(values[1]...)
	c.Contrast = contrast(constant, stochastic, values[0], values[1])

	c.BlocksSaved = 1 - openFraction(stochastic)
	c.ConstantTime, c.StochasticTime = timeOf(constant), timeOf(stochastic)
	c.TimeSaved, c.TimeSavedMargin, c.NoTimeSaved = TimeSaved(constant, stochastic)
	return c, nil
}

// String is the comparison in a sentence: "stochastic depth 48.90 ± 0.50 % instead of 53.40 ± 0.40 %, lower in 3 of 3 seeds".
// Where runs are not trained to their end, it says how far they are.
func (c Comparison) String() string {
	digits := digitsOf(c.ConstantRuns[0].Recipe)
	s := fmt.Sprintf("stochastic depth %s instead of %s", percent(c.Stochastic, digits), percent(c.Constant, digits))
	if c.Pairs > 0 {
		s += fmt.Sprintf(", lower in %d of %d seeds", c.Wins, c.Pairs)
	}
	if soFar := c.soFar(); soFar != "" {
		s += " (" + soFar + ")"
	}
	return s
}

// soFar says how far the runs are if some are not trained to their end: "constant depth after 120 of 120 epochs,
// stochastic depth after 60 to 80 of 120 epochs".
func (c Comparison) soFar() string {
	if !slices.ContainsFunc(slices.Concat(c.ConstantRuns, c.StochasticRuns), (*runs.Run).Unfinished) {
		return ""
	}
	done := func(group []*runs.Run) string {
		least, most := math.Inf(1), 0.0
		for _, run := range group {
			least, most = min(least, run.EpochsDone()), max(most, run.EpochsDone())
		}
		of := fmt.Sprintf("%s of %d epochs", say.Decimal(most), group[0].Recipe.Epochs)
		if least < most {
			of = say.Decimal(least) + " to " + of
		}
		return of
	}
	return fmt.Sprintf("constant depth after %s, stochastic depth after %s", done(c.ConstantRuns), done(c.StochasticRuns))
}

// sameRegime returns an error unless the lists are of one setting each, constant and stochastic, that can be compared.
func sameRegime(constant, stochastic []*runs.Run) error {
	if len(constant) == 0 || len(stochastic) == 0 {
		return fmt.Errorf("%d runs of constant and %d of stochastic depth are no comparison: name one of each at least", len(constant), len(stochastic))
	}
	for _, run := range constant {
		if !run.Recipe.IsConstant() {
			return fmt.Errorf("the run %s is not of constant depth: its death rate must be 0", run.Name)
		}
	}
	for _, run := range stochastic {
		if run.Recipe.IsConstant() {
			return fmt.Errorf("the run %s is of constant depth, where one of stochastic depth is to be compared", run.Name)
		}
	}
	return onlySeedsApart(constant, stochastic)
}

// onlySeedsApart returns an error unless runs of constant depth and of one stochastic setting, of which there may be none,
// differ in nothing but the survival rule and the seed, and no two of either kind have one seed.
func onlySeedsApart(constant, stochastic []*runs.Run) error {
	if err := sameSettings(slices.Concat(constant, stochastic), "seed"); err != nil {
		return err
	}
	for _, run := range stochastic {
		if !recipes.SameSetting(stochastic[0].Recipe, run.Recipe) {
			return fmt.Errorf("the runs %s and %s are of two stochastic settings: compare one of them at a time", stochastic[0].Name, run.Name)
		}
	}
	if err := distinctSeeds(constant); err != nil {
		return err
	}
	return distinctSeeds(stochastic)
}

// openFraction is the mean fraction of open blocks over the minibatches of all runs, from their logs; NaN if a row has
// none.
func openFraction(group []*runs.Run) float64 {
	var fractions, steps []float64
	for _, run := range group {
		_, blocks := run.Recipe.ExpectedOpen()
		fractions, steps = append(fractions, run.OpenBlocks()/float64(blocks)), append(steps, float64(lastRow(run).Step))
	}
	return stat.Mean(fractions, steps)
}
