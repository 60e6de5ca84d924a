package outcome

import (
	"fmt"
	"math"

	"stochdepth/toolkit/runs"
)

// Quantity is a number that came out of a run.
type Quantity struct {
	Name  string
	value func(*runs.Run) float64 // NaN: not known
}

// The quantities of a run: errors are in percent, the training loss is that of the last epoch, open blocks are the mean
// over all minibatches, the training time is in seconds and the time of a step in milliseconds.
var (
	ValidationError = Quantity{"validation error", func(r *runs.Run) float64 { return selected(r).ValidationError }}
	TestError       = Quantity{"test error", func(r *runs.Run) float64 { return selected(r).TestError }}
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

// known averages the quantity over the runs that have it; NaN if none does.
func (q Quantity) known(list []*runs.Run) Estimate {
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

// unknown is the row of a run that has none.
var unknown = runs.Row{Epoch: math.NaN(), TrainLoss: math.NaN(), ValidationError: math.NaN(), TestError: math.NaN(),
	Seconds: math.NaN()}

func selected(r *runs.Run) runs.Row {
	if row, ok := r.Selected(); ok {
		return row
	}
	return unknown
}

func last(r *runs.Run) runs.Row {
	if len(r.Rows) == 0 {
		return unknown
	}
	return r.Rows[len(r.Rows)-1]
}
