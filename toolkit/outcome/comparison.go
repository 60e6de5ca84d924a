package outcome

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
)

// Comparison compares runs of one stochastic setting with runs of constant depth of the same data, network and optimizer.
type Comparison struct {
	Quantity                                 // whose values are compared: the test error, mostly
	ConstantRuns, StochasticRuns []*runs.Run // those compared

	N                    int      // repeats: the smaller of the two numbers of runs
	Constant, Stochastic Estimate // of the quantity, percent
	Contrast                      // stochastic minus constant: below 0 stochastic depth is better

	BlocksSaved                  float64  // fraction of the blocks that the minibatches did not compute; NaN if not recorded
	ConstantTime, StochasticTime Estimate // training time, seconds; N is 0 where a run has none recorded
	TimeSaved, TimeSavedMargin   float64  // fraction of the time at constant depth, see [TimeSaved]; NaN if it is not known
	NoTimeSaved                  error    // why it is not known: times that are not recorded, of other steps or of two machines
}

// Compare compares runs that differ only in the seed and in how blocks close (recipes.StochasticKeys). Each list is one
// setting, the first of constant depth. If the lists share seeds, only the runs of these are compared; see [ContrastOf].
// Runs that cannot be compared, two runs of one seed, and runs without a test error at the selected epoch are errors.
func Compare(constant, stochastic []*runs.Run) (Comparison, error) {
	return CompareBy(TestError, constant, stochastic)
}

// CompareBy is [Compare] for the test or the validation error.
func CompareBy(q Quantity, constant, stochastic []*runs.Run) (Comparison, error) {
	if err := SameRegime(constant, stochastic); err != nil {
		return Comparison{Quantity: q, ConstantRuns: constant, StochasticRuns: stochastic}, err
	}
	constant, stochastic = OfSharedSeeds(constant, stochastic)
	c := Comparison{Quantity: q, ConstantRuns: constant, StochasticRuns: stochastic, N: min(len(constant), len(stochastic))}
	var err error
	if c.Constant, err = MeanOf(q, constant); err != nil {
		return c, err
	}
	if c.Stochastic, err = MeanOf(q, stochastic); err != nil {
		return c, err
	}
	if c.Contrast, err = ContrastOf(q, constant, stochastic); err != nil {
		return c, err
	}
	c.BlocksSaved = 1 - openFraction(stochastic)
	c.ConstantTime, c.StochasticTime = TimeOf(constant), TimeOf(stochastic)
	c.TimeSaved, c.TimeSavedMargin, c.NoTimeSaved = TimeSaved(constant, stochastic)
	return c, nil
}

// String is the comparison in a sentence: "stochastic depth 48.90 ± 0.50 % instead of 53.40 ± 0.40 %, lower in 3 of 3 seeds".
// Where runs are not trained to their end, it says how far they are.
func (c Comparison) String() string {
	digits := c.Digits()
	s := fmt.Sprintf("stochastic depth %s instead of %s", c.Stochastic.Percent(digits), c.Constant.Percent(digits))
	if c.Pairs > 0 {
		s += fmt.Sprintf(", lower in %d of %d seeds", c.Wins, c.Pairs)
	}
	if soFar := c.SoFar(); soFar != "" {
		s += " (" + soFar + ")"
	}
	return s
}

// SoFar says how far the runs are, if some are not trained to their end: "constant depth after 120 of 120 epochs,
// stochastic depth after 60 to 80 of 120 epochs".
func (c Comparison) SoFar() string {
	if !slices.ContainsFunc(slices.Concat(c.ConstantRuns, c.StochasticRuns), (*runs.Run).Unfinished) {
		return ""
	}
	done := func(group []*runs.Run) string {
		least, most := math.Inf(1), 0.0
		for _, run := range group {
			least, most = min(least, run.EpochsDone()), max(most, run.EpochsDone())
		}
		text := fmt.Sprintf("%s of %d epochs", say.Decimal(most), group[0].Recipe.Epochs)
		if least < most {
			text = say.Decimal(least) + " to " + text
		}
		return text
	}
	return fmt.Sprintf("constant depth after %s, stochastic depth after %s", done(c.ConstantRuns), done(c.StochasticRuns))
}

// Digits is the number of digits after the point of an error that the runs' test images resolve.
func (c Comparison) Digits() int { return Digits(c.ConstantRuns[0].Recipe) }

// Single reports whether there is one run each, which has no spread.
func (c Comparison) Single() bool { return len(c.ConstantRuns) == 1 && len(c.StochasticRuns) == 1 }

// openFraction is the mean fraction of open blocks over the minibatches of all runs, from their logs; NaN if a row has
// none.
func openFraction(group []*runs.Run) float64 {
	var fractions, steps []float64
	for _, run := range group {
		_, blocks := run.Recipe.ExpectedOpen()
		fractions, steps = append(fractions, run.OpenBlocks()/float64(blocks)), append(steps, float64(last(run).Step))
	}
	return stat.Mean(fractions, steps)
}

// Regimes compares each stochastic setting of the runs with constant depth of the same data, network and optimizer, and
// returns a list of comparisons for each regime. Regimes of one data set are in the order of depth and epochs. A setting
// without its counterpart is an error, as is what [Compare] refuses.
func Regimes(list []*runs.Run) ([][]Comparison, error) {
	constant, stochastic := Split(list)
	constants := BySetting(constant)
	var order []string // of the data sets, as they come; within each, depth and epochs ascend
	for _, group := range constants {
		order = append(order, DatasetName(group[0].Recipe))
	}
	slices.SortStableFunc(constants, func(a, b []*runs.Run) int {
		x, y := a[0].Recipe, b[0].Recipe
		return cmp.Or(cmp.Compare(slices.Index(order, DatasetName(x)), slices.Index(order, DatasetName(y))),
			cmp.Compare(x.Depth, y.Depth), cmp.Compare(x.Epochs, y.Epochs))
	})
	regimes := make([][]Comparison, len(constants))
	for _, group := range BySetting(stochastic) {
		i, err := Counterpart(constants, group)
		if err != nil {
			return nil, err
		}
		c, err := Compare(constants[i], group)
		if err != nil {
			return nil, err
		}
		regimes[i] = append(regimes[i], c)
	}
	for i, comparisons := range regimes {
		if len(comparisons) == 0 {
			return nil, fmt.Errorf("the run %s of constant depth has no run of stochastic depth with the same settings to "+
				"be compared with",
				constants[i][0].Name)
		}
	}
	return regimes, nil
}
