// Package outcome says what came of runs: means over seeds with their spread, differences with their confidence intervals,
// the blocks and the time saved, the description of a group of runs, and all this in words. It draws nothing: figures,
// tables, claims and the command line ask it, so that they say the same about the same runs.
//
// Errors are in percent, at the epoch of the lowest validation error, which the paper selects (Section 4). Runs that differ
// in the seed only are repeats of one setting. Two settings are compared over the seeds common to both.
package outcome

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/stat"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Estimate is a number with its spread over runs that differ in the seed.
type Estimate struct {
	Mean      float64 // NaN without values
	Deviation float64 // sample standard deviation; 0 where N is 1
	N         int     // runs; 0: published
	ReadOff   bool    // read off the paper's drawing
}

// Average returns the estimate of n values.
func Average(values ...float64) Estimate {
	e := Estimate{Mean: stat.Mean(values, nil), N: len(values)}
	if e.N > 1 {
		e.Deviation = stat.StdDev(values, nil)
	}
	return e
}

// MeanOf averages a quantity over runs of one setting. Runs of two settings or of one seed are errors, and so is a run
// without the quantity.
func MeanOf(q Quantity, group []*runs.Run) (Estimate, error) {
	if err := onlySeeds(group); err != nil {
		return Estimate{}, err
	}
	values, err := q.values(group)
	if err != nil {
		return Estimate{}, err
	}
	return Average(values...), nil
}

// Text is the number with its spread, if it has one, and this many digits after the point: "16.1 ± 0.7"; a hyphen if it
// is not known.
func (e Estimate) Text(digits int) string {
	switch {
	case math.IsNaN(e.Mean):
		return "-"
	case e.N > 1:
		return fmt.Sprintf("%.*f ± %.*f", digits, e.Mean, digits, e.Deviation)
	}
	return fmt.Sprintf("%.*f", digits, e.Mean)
}

// Percent is the Text of an error: "16.1 ± 0.7 %".
func (e Estimate) Percent(digits int) string { return e.Text(digits) + " %" }

// String is the Text with two digits: "5.25 ± 0.10".
func (e Estimate) String() string { return e.Text(2) }

// deviation is the sample standard deviation; NaN, unlike the field, for a single value, which has no spread.
func (e Estimate) deviation() float64 {
	if e.N < 2 {
		return math.NaN()
	}
	return e.Deviation
}

// Digits is the number of digits after the point of an error that the recipe's test images resolve.
func Digits(r recipes.Recipe) int {
	if n := r.TestImages; n > 0 && n < 10000 {
		return 1
	}
	return 2
}

// Signed writes a difference with its sign, where minus is a true minus sign: "−3.41".
func Signed(x float64, digits int) string { return minus(fmt.Sprintf("%+.*f", digits, x)) }

// Saving is a fraction in percent with its confidence interval, if it has a margin, and a dash where it is not known:
// "27 % [21, 33]".
func Saving(fraction, margin float64, digits int) string {
	if math.IsNaN(fraction) {
		return "–"
	}
	s := fmt.Sprintf("%.*f %%", digits, 100*fraction+0)
	if !math.IsNaN(margin) {
		s += fmt.Sprintf(" [%.*f, %.*f]", digits, 100*(fraction-margin), digits, 100*(fraction+margin))
	}
	return minus(s)
}

// interval is a difference with its confidence interval, if it has a margin: "−3.41 [−5.72, −1.10]".
func interval(difference, margin float64, digits int) string {
	s := Signed(difference, digits)
	if !math.IsNaN(margin) {
		s += fmt.Sprintf(" [%s, %s]", Signed(difference-margin, digits), Signed(difference+margin, digits))
	}
	return s
}

// minus writes true minus signs.
func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }
