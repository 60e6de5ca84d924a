package runs

import (
	"io"
	"math"
	"strconv"

	"stochdepth/toolkit/internal/say"
)

// columns are the columns of Table, in order.
var columns = []say.Column[*Run]{
	{Key: "name", Head: "name", Value: func(r *Run) any { return r.Name }},
	{Key: "dataset", Head: "data set", Value: func(r *Run) any { return r.Recipe.Dataset }},
	{Key: "depth", Head: "depth", Right: true, Value: func(r *Run) any { return r.Recipe.Depth }},
	{Key: "rule", Head: "rule", Value: func(r *Run) any { return r.Recipe.RuleName() }},
	{Key: "death_rate", Head: "death rate", Right: true, Value: func(r *Run) any { return r.Recipe.DeathRate }, Shown: deathRate},
	{Key: "epochs_done", Head: "epochs", Right: true, Value: func(r *Run) any { return r.EpochsDone() },
		Shown: func(r *Run) string { return shownEpochs(r.EpochsDone()) + "/" + strconv.Itoa(r.Recipe.Epochs) }},
	{Key: "epochs", Value: func(r *Run) any { return r.Recipe.Epochs }},
	{Key: "best_epoch", Head: "best epoch", Right: true, Value: func(r *Run) any { return r.selected().Epoch },
		Shown: func(r *Run) string { return shownEpochs(r.selected().Epoch) }},
	{Key: "validation_error", Head: "validation %", Right: true, Format: "%.2f",
		Value: func(r *Run) any { return r.selected().ValidationError }},
	{Key: "test_error", Head: "test %", Right: true, Format: "%.2f", Value: func(r *Run) any { return r.selected().TestError }},
	{Key: "steps_per_second", Head: "steps/s", Right: true, Format: "%.2f", Value: func(r *Run) any { return r.stepsPerSecond() }},
	{Key: "hours", Head: "time", Right: true, Value: func(r *Run) any { return r.Seconds() / 3600 }, Shown: trainingTime},
	{Key: "status", Head: "status", Value: func(r *Run) any { return r.Status() }},
}

// Table writes one line for each run: what it is, how far it got, and the errors (percent) at its best validation epoch.
// format is one of [say.TableFormats].
func Table(w io.Writer, runs []*Run, format string) error {
	return say.WriteTable(w, format, columns, runs)
}

// selected is the row of Selected, or one of unknown numbers.
func (r *Run) selected() Row {
	if row, ok := r.Selected(); ok {
		return row
	}
	return Row{Epoch: math.NaN(), ValidationError: math.NaN(), TestError: math.NaN()}
}

// stepsPerSecond is the speed over the whole run, evaluations included; NaN if it is not known.
func (r *Run) stepsPerSecond() float64 {
	switch n := len(r.Rows); {
	case n > 0 && r.Rows[n-1].Seconds > 0:
		return float64(r.Rows[n-1].Step) / r.Rows[n-1].Seconds
	case n == 0 && r.Result != nil:
		return r.Result.StepsPerSecond
	}
	return math.NaN()
}

// deathRate is the death rate for people; a dash where each block has its own.
func deathRate(r *Run) string {
	if r.Recipe.Rule == "list" {
		return "-"
	}
	return strconv.FormatFloat(r.Recipe.DeathRate, 'f', -1, 64)
}

// trainingTime is how long the training took so far, for people.
func trainingTime(r *Run) string {
	if math.IsNaN(r.Seconds()) {
		return "-"
	}
	return say.SpanOf(r.Seconds())
}

// shownEpochs is a number of epochs for people. They are whole, mostly.
func shownEpochs(x float64) string {
	switch {
	case math.IsNaN(x):
		return "-"
	case x == math.Trunc(x):
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}
