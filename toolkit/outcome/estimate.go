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

// Quantity is a number that came out of a run.
type Quantity struct {
	Name  string
	value func(*runs.Run) float64 // NaN: not known
}

// The quantities of a run: errors are in percent, the final test error and the training loss are those of the last epoch,
// open blocks are the mean over all minibatches, the training time is in seconds and the time of a step in milliseconds.
var (
	ValidationError = Quantity{"validation error", func(r *runs.Run) float64 { return selected(r).ValidationError }}
	TestError       = Quantity{"test error", func(r *runs.Run) float64 { return selected(r).TestError }}
	FinalTestError  = Quantity{"test error after its last epoch", func(r *runs.Run) float64 { return last(r).TestError }}
	BestEpoch       = Quantity{"best epoch", func(r *runs.Run) float64 { return selected(r).Epoch }}
	TrainingLoss    = Quantity{"training loss", func(r *runs.Run) float64 { return last(r).TrainLoss }}
	OpenBlocks      = Quantity{"open blocks", (*runs.Run).OpenBlocks}
	TrainingTime    = Quantity{"training seconds", (*runs.Run).Seconds}
	StepTime        = Quantity{"time a step", func(r *runs.Run) float64 { return 1000 * last(r).Seconds / float64(last(r).Step) }}
)

// Of is the quantity of a run; a run without it is an error.
func (q Quantity) Of(run *runs.Run) (float64, error) {
	if value := q.value(run); !math.IsNaN(value) {
		return value, nil
	}
	if q.Name == TestError.Name || q.Name == ValidationError.Name {
		return 0, noEpoch(run)
	}
	return 0, fmt.Errorf("the run %s has no %s", run.Name, q.Name)
}

// values returns the quantity of each run of one setting.
func (q Quantity) values(group []*runs.Run) ([]float64, error) {
	var values []float64
	for _, run := range group {
		value, err := q.Of(run)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// Known averages the quantity over the runs that have it; NaN if none does.
func (q Quantity) Known(list []*runs.Run) Estimate {
	var values []float64
	for _, run := range list {
		if x := q.value(run); !math.IsNaN(x) {
			values = append(values, x)
		}
	}
	return Average(values...)
}

// Selected returns the row of a run's log whose error is to be reported; the quantity must be the test or the validation
// error. A run without such a row, or without this error, is an error.
func (q Quantity) Selected(run *runs.Run) (runs.Row, error) {
	best, ok := run.Best()
	if !ok || math.IsNaN(q.value(run)) {
		return best, noEpoch(run)
	}
	return best, nil
}

func noEpoch(run *runs.Run) error {
	return fmt.Errorf("the run %s has no evaluated epoch to draw yet: train it first", run.Name)
}

func selected(r *runs.Run) runs.Row {
	if row, ok := r.Selected(); ok {
		return row
	}
	return runs.Unknown()
}

func last(r *runs.Run) runs.Row {
	if len(r.Rows) == 0 {
		return runs.Unknown()
	}
	return r.Rows[len(r.Rows)-1]
}
