package outcome

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

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
	return standardError * distuv.StudentsT{Sigma: 1, Nu: degrees}.Quantile((1+Confidence)/2)
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
