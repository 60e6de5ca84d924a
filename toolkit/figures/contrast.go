package figures

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
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

// ContrastOf compares the test errors, in percent, of two groups, each of runs of one setting and several seeds, at the
// epochs of the lowest validation errors; see [ContrastBy]. Runs without an error are refused.
func ContrastOf(first, second []*runs.Run) (Contrast, error) {
	return ContrastBy(testError.selected, first, second)
}

// ContrastBy compares a number of two groups, each of runs of one setting and several seeds. Of groups that share seeds,
// the runs of these are compared, and the others left alone (see [OfSharedSeeds]): the standard error is that of the
// paired differences, s/√n, with n - 1 degrees of freedom. Where no seed is shared it is Welch's √(s₁²/n₁ + s₂²/n₂),
// with the degrees of freedom of Welch and Satterthwaite. Runs of two settings or of one seed in a group are errors, and
// so is a run that has no such number.
func ContrastBy(of func(*runs.Run) (float64, error), first, second []*runs.Run) (Contrast, error) {
	for _, group := range [][]*runs.Run{first, second} {
		if err := onlySeeds(group); err != nil {
			return Contrast{}, err
		}
	}
	first, second = OfSharedSeeds(first, second)
	var values [2][]float64
	for i, group := range [][]*runs.Run{first, second} {
		var err error
		if values[i], err = valuesOf(of, group); err != nil {
			return Contrast{}, err
		}
	}
	return contrast(first, second, values[0], values[1]), nil
}

// contrast compares two groups that are of shared seeds, or share none, by their values.
func contrast(first, second []*runs.Run, firsts, seconds []float64) Contrast {
	c := Contrast{Difference: stat.Mean(seconds, nil) - stat.Mean(firsts, nil)}
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
	if c.Pairs > 0 {
		c.StandardError, c.Degrees = standardError(differences)
	} else {
		c.StandardError, c.Degrees = welch(firsts, seconds)
	}
	return c
}

// Margin is half the width of the 95 % confidence interval of the difference, by Student's t; NaN where a group has one
// run only.
func (c Contrast) Margin() float64 { return halfWidth(c.StandardError, c.Degrees) }

// Interval is the 95 % confidence interval of the difference, by Student's t; NaN where a group has one run only.
func (c Contrast) Interval() (low, high float64) {
	return c.Difference - c.Margin(), c.Difference + c.Margin()
}

// Clear reports whether the second group is lower beyond chance: whether the whole interval lies below zero.
func (c Contrast) Clear() bool {
	_, high := c.Interval()
	return high < 0
}

// halfWidth is half the width of the confidence interval of a mean with that standard error: so many of them as the t
// quantile says. For few values that is many more than two: 12.7 for the difference of two pairs, 4.3 for three.
func halfWidth(standardError, degrees float64) float64 {
	if !(standardError > 0 && degrees > 0) { // one value, or equal ones, which do not tell how far others would lie apart
		return math.NaN()
	}
	return standardError * distuv.StudentsT{Sigma: 1, Nu: degrees}.Quantile((1+Confidence)/2)
}

// standardError is that of the mean of values, 0 of equal ones, and its degrees of freedom; both are NaN for one value.
func standardError(values []float64) (of, degrees float64) {
	n := float64(len(values))
	if n < 2 {
		return math.NaN(), math.NaN()
	}
	mean, deviation := stat.MeanStdDev(values, nil)
	if deviation < 1e-9*math.Abs(mean) { // equal but for rounding
		deviation = 0
	}
	return stat.StdErr(deviation, n), n - 1
}

// welch is the standard error of the difference of the means of two independent samples, and its degrees of freedom, by
// Welch and Satterthwaite; both are NaN where a sample has one value only.
func welch(a, b []float64) (of, degrees float64) {
	e1, n1 := standardError(a)
	e2, n2 := standardError(b)
	v1, v2 := e1*e1, e2*e2
	return math.Sqrt(v1 + v2), (v1 + v2) * (v1 + v2) / (v1*v1/n1 + v2*v2/n2)
}

// OfSharedSeeds leaves of each list the runs whose seed the other has too; both as they are if no seed is shared. How
// hard a seed is would else pass for a difference of the settings.
func OfSharedSeeds(a, b []*runs.Run) (sharedA, sharedB []*runs.Run) {
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

// onlySeeds returns an error unless there are runs, of one setting, which differ in the seed.
func onlySeeds(group []*runs.Run) error {
	if len(group) == 0 {
		return errors.New("there is nothing to compare: name a run of each side at least")
	}
	for _, run := range group {
		if !recipes.SameSetting(group[0].Recipe, run.Recipe) {
			return fmt.Errorf("the runs %s and %s are of two settings: compare one of them at a time", group[0].Name, run.Name)
		}
	}
	return distinctSeeds(group)
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

// valuesOf returns a number of each run of one setting. A run without it and two runs of one seed are errors.
func valuesOf(of func(*runs.Run) (float64, error), group []*runs.Run) ([]float64, error) {
	if err := distinctSeeds(group); err != nil {
		return nil, err
	}
	var values []float64
	for _, run := range group {
		value, err := of(run)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// selected is the measure at the epoch of the run's lowest validation error. A run without an evaluated epoch is an
// error.
func (m measure) selected(run *runs.Run) (float64, error) {
	best, ok := run.Best()
	if !ok || math.IsNaN(m.of(best)) {
		return 0, noEpoch(run)
	}
	return m.of(best), nil
}
