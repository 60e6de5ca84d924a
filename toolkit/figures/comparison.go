package figures

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"stochdepth/toolkit/runs"
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
	TimeSaved                    float64  // fraction of the time at constant depth; NaN if it is not recorded, or of two machines
	TimeSavedError               float64  // its standard error, of the times' spread over seeds; NaN where a side has one run only
}

// Compare compares runs that differ in the seed and in how blocks close only (runs.StochasticKeys): each list is of one
// setting, the first of constant depth. Of lists that share seeds, the runs of these are compared, and the others left
// alone: how hard a seed is would pass for what stochastic depth does. The standard error is then that of the paired
// differences, s/√n; where no seed is shared, Welch's √(s₁²/n₁ + s₂²/n₂). Runs that cannot be compared, two runs of one
// seed, and runs without a test error at the selected epoch are errors.
func Compare(constant, stochastic []*runs.Run) (Comparison, error) {
	return compareBy(testError, constant, stochastic)
}

// compareBy is Compare for the test or the validation error.
func compareBy(m measure, constant, stochastic []*runs.Run) (Comparison, error) {
	if err := sameRegime(constant, stochastic); err != nil {
		return Comparison{ConstantRuns: constant, StochasticRuns: stochastic}, err
	}
	constant, stochastic = ofSharedSeeds(constant, stochastic)
	c := Comparison{ConstantRuns: constant, StochasticRuns: stochastic, N: min(len(constant), len(stochastic))}
	var values [2][]float64
	for i, group := range [][]*runs.Run{constant, stochastic} {
		var err error
		if values[i], err = selected(m, group); err != nil {
			return c, err
		}
	}
	c.Constant, c.Stochastic = Average(values[0]...), Average(values[1]...)
	c.Contrast = contrast(constant, stochastic, values[0], values[1])

	c.BlocksSaved = 1 - openFraction(stochastic)
	c.ConstantTime, c.StochasticTime, c.TimeSaved, c.TimeSavedError = timeOf(constant), timeOf(stochastic), math.NaN(), math.NaN()
	if c.ConstantTime.N > 0 && c.StochasticTime.N > 0 && oneMachine(constant, stochastic) {
		c.TimeSaved = 1 - c.StochasticTime.Mean/c.ConstantTime.Mean
		if c.N > 1 { // relative errors of a quotient add up in squares
			c.TimeSavedError = (1 - c.TimeSaved) * math.Hypot(c.ConstantTime.relativeError(), c.StochasticTime.relativeError())
		}
	}
	return c, nil
}

// ofSharedSeeds leaves of each list the runs whose seed the other has too; both as they are if no seed is shared.
func ofSharedSeeds(a, b []*runs.Run) (sharedA, sharedB []*runs.Run) {
	shared := func(list, other []*runs.Run) (kept []*runs.Run) {
		for _, run := range list {
			if ofSeed(other, run.Recipe.Seed) >= 0 {
				kept = append(kept, run)
			}
		}
		return kept
	}
	if sharedA, sharedB = shared(a, b), shared(b, a); len(sharedA) == 0 {
		return a, b
	}
	return sharedA, sharedB
}

// ofSeed is the index of the run of a seed, or -1.
func ofSeed(list []*runs.Run, seed int64) int {
	return slices.IndexFunc(list, func(r *runs.Run) bool { return r.Recipe.Seed == seed })
}

// Contrast is how the errors of two groups of runs differ, whatever else differs between them.
type Contrast struct {
	Difference    float64 // of the means, the second group's minus the first's, in percentage points
	StandardError float64 // of the difference, as in [Compare]; NaN where a group has one run only
	Paired        bool    // both groups have the same seeds
	Pairs, Wins   int     // seeds that both have; pairs in which the second has the lower error
}

// ContrastOf compares the test errors of two groups, each of runs of one setting and several seeds, at the epochs of the
// lowest validation errors. Runs of two settings or of one seed in a group, and such without an error, are refused.
func ContrastOf(first, second []*runs.Run) (Contrast, error) {
	var values [2][]float64
	for i, group := range [][]*runs.Run{first, second} {
		for _, run := range group {
			if !runs.SameSetting(group[0].Recipe, run.Recipe) {
				return Contrast{}, fmt.Errorf("the runs %s and %s are of two settings: compare one of them at a time", group[0].Name, run.Name)
			}
		}
		var err error
		if values[i], err = selected(testError, group); err != nil {
			return Contrast{}, err
		}
	}
	return contrast(first, second, values[0], values[1]), nil
}

// contrast compares two groups by their values.
func contrast(first, second []*runs.Run, firsts, seconds []float64) Contrast {
	a, b := Average(firsts...), Average(seconds...)
	c := Contrast{Difference: b.Mean - a.Mean}
	var differences []float64
	for i, run := range second {
		if j := ofSeed(first, run.Recipe.Seed); j >= 0 {
			differences = append(differences, seconds[i]-firsts[j])
			if differences[c.Pairs] < 0 {
				c.Wins++
			}
			c.Pairs++
		}
	}
	c.Paired = c.Pairs == len(first) && c.Pairs == len(second)
	switch {
	case min(a.N, b.N) < 2:
		c.StandardError = math.NaN()
	case c.Paired:
		c.StandardError = stat.StdErr(stat.StdDev(differences, nil), float64(c.Pairs))
	default:
		c.StandardError = math.Hypot(stat.StdErr(a.Deviation, float64(a.N)), stat.StdErr(b.Deviation, float64(b.N)))
	}
	return c
}

// String is the comparison in a sentence: "stochastic depth 48.90 ± 0.50 % instead of 53.40 ± 0.40 %, lower in 3 of 3 seeds".
func (c Comparison) String() string {
	digits := digitsOf(c.ConstantRuns[0].Recipe)
	s := fmt.Sprintf("stochastic depth %s instead of %s", percent(c.Stochastic, digits), percent(c.Constant, digits))
	if c.Pairs > 0 {
		s += fmt.Sprintf(", lower in %d of %d seeds", c.Wins, c.Pairs)
	}
	return s
}

// Clear reports whether stochastic depth is ahead by more than two standard errors.
func (c Comparison) Clear() bool { return c.Difference < -2*c.StandardError }

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
		if !runs.SameSetting(stochastic[0].Recipe, run.Recipe) {
			return fmt.Errorf("the runs %s and %s are of two stochastic settings: compare one of them at a time", stochastic[0].Name, run.Name)
		}
	}
	if err := distinctSeeds(constant); err != nil {
		return err
	}
	return distinctSeeds(stochastic)
}

// distinctSeeds returns an error if two runs of one setting have one seed.
func distinctSeeds(group []*runs.Run) error {
	seeds := make(map[int64]string)
	for _, run := range group {
		if twin, twice := seeds[run.Recipe.Seed]; twice {
			return fmt.Errorf("the runs %s and %s are one experiment with one seed: they are not two repeats, name one of them", twin, run.Name)
		}
		seeds[run.Recipe.Seed] = run.Name
	}
	return nil
}

// selected returns a measure of each run at the epoch of its lowest validation error. A run without an evaluated epoch
// and two runs of one seed are errors.
func selected(m measure, group []*runs.Run) ([]float64, error) {
	if err := distinctSeeds(group); err != nil {
		return nil, err
	}
	var values []float64
	for _, run := range group {
		best, ok := run.Best()
		if !ok || math.IsNaN(m.of(best)) {
			return nil, noEpoch(run)
		}
		values = append(values, m.of(best))
	}
	return values, nil
}

// openFraction is the mean fraction of open blocks over the minibatches of all runs, from their logs; NaN if a row has
// none.
func openFraction(group []*runs.Run) float64 {
	var fractions, steps []float64
	for _, run := range group {
		_, blocks := run.Recipe.ExpectedOpen()
		before := int64(0)
		for _, row := range run.Rows {
			fractions, steps = append(fractions, row.OpenBlocksMean/float64(blocks)), append(steps, float64(row.Step-before))
			before = row.Step
		}
	}
	fraction := stat.Mean(fractions, steps)
	if fraction == 0 { // a log of before open blocks were counted
		return math.NaN()
	}
	return fraction
}

// timeOf averages the training times of runs, in seconds; none if one is not recorded.
func timeOf(group []*runs.Run) Estimate {
	var seconds []float64
	for _, run := range group {
		if len(run.Rows) == 0 || !(run.Rows[len(run.Rows)-1].Seconds > 0) {
			return Estimate{Mean: math.NaN()}
		}
		seconds = append(seconds, run.Rows[len(run.Rows)-1].Seconds)
	}
	return Average(seconds...)
}

// oneMachine reports whether no two runs name different machines: one that has not ended names none yet.
func oneMachine(groups ...[]*runs.Run) bool {
	machine := ""
	for _, run := range slices.Concat(groups...) {
		if m := machineOf(run.Result); machine == "" {
			machine = m
		} else if m != "" && m != machine {
			return false
		}
	}
	return true
}
