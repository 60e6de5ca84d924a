package outcome

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
)

// Confidence is the level of all intervals, two-sided: where an interval leaves out zero, p < 0.05.
const Confidence = 0.95

// Contrast is how a number of two groups of runs differs, such as their test errors, whatever else differs between them.
type Contrast struct {
	Difference    float64 // of the means, the second group's minus the first's
	StandardError float64 // of the difference; NaN where a group has one run only
	Degrees       float64 // of freedom, of Student's t for the difference; NaN where a group has one run only
	Pairs, Wins   int     // seeds that both have, 0 where they share none; pairs in which the second is lower
}

// ContrastOf compares a quantity of two groups, each of one setting and several seeds. If the groups share seeds, only
// the runs of these are compared (see [OfSharedSeeds]), and the standard error is that of the paired differences, s/√n,
// with n - 1 degrees of freedom. If they share none, it is Welch's √(s₁²/n₁ + s₂²/n₂), with the degrees of freedom of
// Welch and Satterthwaite. Runs of two settings or of one seed in a group are errors, and so is a run without the
// quantity.
func ContrastOf(q Quantity, first, second []*runs.Run) (Contrast, error) {
	for _, group := range [][]*runs.Run{first, second} {
		if err := onlySeeds(group); err != nil {
			return Contrast{}, err
		}
	}
	first, second = OfSharedSeeds(first, second)
	var values [2][]float64
	for i, group := range [][]*runs.Run{first, second} {
		var err error
		if values[i], err = q.values(group); err != nil {
			return Contrast{}, err
		}
	}
	c := Contrast{Difference: stat.Mean(values[1], nil) - stat.Mean(values[0], nil)}
	var differences []float64
	for i, run := range second {
		if j := indexOfSeed(first, run.Recipe.Seed); j >= 0 {
			differences = append(differences, values[1][i]-values[0][j])
			if differences[c.Pairs] < 0 {
				c.Wins++
			}
			c.Pairs++
		}
	}
	if c.Pairs > 0 {
		c.StandardError, c.Degrees = standardError(differences)
	} else {
		c.StandardError, c.Degrees = welch(values[0], values[1])
	}
	return c, nil
}

// Margin is half the width of the 95 % confidence interval of the difference, by Student's t; NaN where a group has one
// run only.
func (c Contrast) Margin() float64 { return halfWidth(c.StandardError, c.Degrees) }

// Interval is the 95 % confidence interval of the difference, by Student's t; NaN where a group has one run only.
func (c Contrast) Interval() (low, high float64) {
	return c.Difference - c.Margin(), c.Difference + c.Margin()
}

// Points writes the difference of two errors with its confidence interval, if it has one: "−3.41 [−5.72, −1.10]".
func (c Contrast) Points(digits int) string { return interval(c.Difference, c.Margin(), digits) }

// Clear reports whether the second group is lower beyond chance: whether the whole interval lies below zero.
func (c Contrast) Clear() bool {
	_, high := c.Interval()
	return high < 0
}

// halfWidth is half the width of the confidence interval of a mean: its standard error times the t quantile. For few
// values that is much more than two: 12.7 for the difference of two pairs, 4.3 for three.
func halfWidth(standardError, degrees float64) float64 {
	if !(standardError > 0 && degrees > 0) { // one value, or equal ones, which do not show how others would vary
		return math.NaN()
	}
	return standardError * StandardErrors(degrees)
}

// StandardErrors is the number of standard errors in half a confidence interval: the quantile of Student's t.
func StandardErrors(degrees float64) float64 {
	return distuv.StudentsT{Sigma: 1, Nu: degrees}.Quantile((1 + Confidence) / 2)
}

// standardError is the standard error of the mean of values, 0 if they are equal, and its degrees of freedom; both are
// NaN for one value.
func standardError(values []float64) (e, degrees float64) {
	n := float64(len(values))
	if n < 2 {
		return math.NaN(), math.NaN()
	}
	mean, deviation := stat.MeanStdDev(values, nil)
	if deviation < 1e-9*math.Abs(mean) { // equal apart from rounding
		deviation = 0
	}
	return stat.StdErr(deviation, n), n - 1
}

// welch is the standard error of the difference of the means of two independent samples, and its degrees of freedom, by
// Welch and Satterthwaite; both are NaN where a sample has one value only.
func welch(a, b []float64) (e, degrees float64) {
	e1, n1 := standardError(a)
	e2, n2 := standardError(b)
	v1, v2 := e1*e1, e2*e2
	return math.Sqrt(v1 + v2), (v1 + v2) * (v1 + v2) / (v1*v1/n1 + v2*v2/n2)
}

// Why training times cannot be compared; ErrSteps means that the runs have done unequal work.
var (
	errNoTimes  = errors.New("has no training time recorded")
	errMachines = errors.New("the machines differ")
	ErrSteps    = errors.New("the numbers of steps differ")
)

// TimeSaved is the fraction of the training time of the reference runs that the faster runs save. Each list is of one
// setting and several seeds; if they share seeds, the runs of these are compared. saved is then 1 minus the mean of the
// paired ratios, and margin is half the width of its 95 % confidence interval by Student's t. If they share none, saved
// is 1 minus the ratio of the means, whose relative errors are added in squares. The margin is NaN if a side has one run
// only.
//
// Times are compared for equal work on one machine. Runs with different numbers of steps, runs of two machines, a run
// that went on on another machine, and a run without a time are errors.
func TimeSaved(reference, faster []*runs.Run) (saved, margin float64, err error) {
	for _, group := range [][]*runs.Run{reference, faster} {
		if err := onlySeeds(group); err != nil {
			return math.NaN(), math.NaN(), err
		}
	}
	reference, faster = OfSharedSeeds(reference, faster)
	if err := sameWork(reference, faster); err != nil {
		return math.NaN(), math.NaN(), err
	}
	saved, margin = timeSaved(reference, faster)
	return saved, margin, nil
}

// timeSaved is TimeSaved for runs of the same work that share all their seeds or none.
func timeSaved(reference, faster []*runs.Run) (saved, margin float64) {
	var ratios, a, b []float64
	for _, run := range reference {
		a = append(a, last(run).Seconds)
	}
	for _, run := range faster {
		b = append(b, last(run).Seconds)
		if i := indexOfSeed(reference, run.Recipe.Seed); i >= 0 {
			ratios = append(ratios, last(run).Seconds/a[i])
		}
	}
	if len(ratios) > 0 {
		return 1 - Average(ratios...).Mean, halfWidth(standardError(ratios))
	}
	ratio := Average(b...).Mean / Average(a...).Mean
	for _, times := range [][]float64{a, b} {
		mean := Average(times...).Mean
		for i := range times {
			times[i] /= mean
		}
	}
	return 1 - ratio, ratio * halfWidth(welch(a, b))
}

// sameWork returns an error unless all runs have a training time, of equally many steps on one machine.
func sameWork(constant, stochastic []*runs.Run) error {
	if err := OneMachine(constant, stochastic); err != nil {
		return err
	}
	first := constant[0]
	for _, run := range slices.Concat(constant, stochastic) {
		if steps, others := last(first).Step, last(run).Step; steps != others {
			return fmt.Errorf("the training times of %s and %s cannot be compared: %w, %d and %d",
				first.Name, run.Name, ErrSteps, steps, others)
		}
	}
	return nil
}

// OneMachine returns an error unless all runs have a training time, of one machine, so that times can be compared. A run
// whose first session has not ended names no machine yet.
func OneMachine(groups ...[]*runs.Run) error {
	var first *runs.Run // that names its machine
	for _, run := range slices.Concat(groups...) {
		machines := machinesOf(run)
		switch {
		case TimeOf([]*runs.Run{run}).N == 0:
			return fmt.Errorf("the run %s %w", run.Name, errNoTimes)
		case len(machines) > 1:
			return fmt.Errorf("the training time of %s cannot be compared with others: %w, it was trained on %s",
				run.Name, errMachines, say.Enumerate(machines))
		case len(machines) == 0:
		case first == nil:
			first = run
		case !slices.Equal(machines, machinesOf(first)):
			return fmt.Errorf("the training times of %s and %s cannot be compared: %w", first.Name, run.Name, errMachines)
		}
	}
	return nil
}

// TimeOf averages the training times of runs, in seconds; the mean is NaN if one of them is not recorded.
func TimeOf(group []*runs.Run) Estimate {
	var seconds []float64
	for _, run := range group {
		if !(last(run).Seconds > 0) {
			return Estimate{Mean: math.NaN()}
		}
		seconds = append(seconds, last(run).Seconds)
	}
	return Average(seconds...)
}
