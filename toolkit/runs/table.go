package runs

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
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
	return Unknown()
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

// Selection says which runs of a list are meant, and in which order. The zero value means all, as they are.
type Selection struct {
	Names   string   // a pattern for the names, such as quickstart/*; "" matches every name
	Where   []string // conditions on the recipe's keys, such as depth=20; all must hold
	Sort    string   // a column of [SortKeys] to sort by, the lowest first; "" keeps the order
	Reverse bool     // the highest first, or without Sort the reverse order
}

// Of returns the runs that are meant. Runs without a number in the sorting column come last, also in reverse.
func (s Selection) Of(list []*Run) ([]*Run, error) {
	selected, err := Matching(list, s.Names)
	if err != nil {
		return nil, err
	}
	for _, where := range s.Where {
		if selected, err = withValue(selected, where); err != nil {
			return nil, err
		}
	}
	return s.sorted(selected)
}

// Matching returns the runs whose name matches a pattern (see [Matches]), as a whole or in its last part. The pattern ""
// matches every name.
func Matching(list []*Run, pattern string) ([]*Run, error) {
	if _, err := Matches(pattern, ""); err != nil {
		return nil, err
	}
	var matching []*Run
	for _, run := range list {
		whole, _ := Matches(pattern, run.Name)
		last, _ := Matches(pattern, path.Base(run.Name))
		if whole || last || pattern == "" {
			matching = append(matching, run)
		}
	}
	return matching, nil
}

// withValue returns the runs whose recipe has a value for a key, written key=value.
func withValue(list []*Run, where string) ([]*Run, error) {
	key, value, ok := strings.Cut(where, "=")
	if !ok {
		return nil, fmt.Errorf("%q is not a condition: write key=value, such as depth=20", where)
	}
	trial := recipes.Default() // reports a mistake even where there are no runs
	if err := trial.Set(key, value); err != nil {
		return nil, err
	}
	var chosen []*Run
	for _, run := range list {
		asked := run.Recipe
		if err := asked.Set(key, value); err != nil {
			return nil, err
		}
		if asked.Description == run.Recipe.Description && len(recipes.Differences(asked, run.Recipe)) == 0 {
			chosen = append(chosen, run)
		}
	}
	return chosen, nil
}

// sortNames are the names by which a [Selection] knows those columns that it does not know by their keys.
var sortNames = map[string]string{"epochs_done": "epochs", "steps_per_second": "speed", "hours": "time"}

// SortKeys lists the columns that a [Selection] sorts by.
func SortKeys() (keys []string) {
	for _, c := range columns {
		if c.Head != "" {
			keys = append(keys, sortKey(c))
		}
	}
	return keys
}

func sortKey(c say.Column[*Run]) string {
	return strings.ReplaceAll(cmp.Or(sortNames[c.Key], c.Key), "_", "-")
}

// sorted returns the runs in the order asked for; equal ones stay as they were.
func (s Selection) sorted(list []*Run) ([]*Run, error) {
	if s.Sort == "" {
		if s.Reverse {
			list = slices.Clone(list)
			slices.Reverse(list)
		}
		return list, nil
	}
	key := strings.ReplaceAll(s.Sort, "_", "-")
	i := slices.IndexFunc(columns, func(c say.Column[*Run]) bool { return c.Head != "" && sortKey(c) == key })
	if i < 0 {
		return nil, fmt.Errorf("cannot sort by %q%s: the columns are %s", s.Sort,
			say.DidYouMean(key, SortKeys()), strings.Join(SortKeys(), ", "))
	}
	values := make(map[*Run]any)
	for _, run := range list {
		values[run] = columns[i].Value(run)
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *Run) int { return compare(values[a], values[b], s.Reverse) })
	return sorted, nil
}

// compare orders two values of a column; what is unknown comes last also in reverse.
func compare(a, b any, reverse bool) int {
	order := 0
	switch a := a.(type) {
	case string:
		order = strings.Compare(a, b.(string))
	case int:
		order = cmp.Compare(a, b.(int))
	case float64:
		b := b.(float64)
		if math.IsNaN(a) || math.IsNaN(b) {
			return -cmp.Compare(a, b) // NaN is below all numbers there
		}
		order = cmp.Compare(a, b)
	}
	if reverse {
		return -order
	}
	return order
}
