package runs

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

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

// SortKeys lists the columns that a [Selection] sorts by.
func SortKeys() (keys []string) {
	for _, c := range columns {
		if c.sort != "" {
			keys = append(keys, c.sort)
		}
	}
	return keys
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
	i := slices.IndexFunc(columns, func(c column) bool { return c.sort == key })
	if i < 0 {
		return nil, fmt.Errorf("cannot sort by %q%s: the columns are %s", s.Sort,
			say.DidYouMean(key, SortKeys()), strings.Join(SortKeys(), ", "))
	}
	lines := make(map[*Run]summary)
	for _, run := range list {
		lines[run] = summarize(run)
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *Run) int { return columns[i].compare(lines[a], lines[b], s.Reverse) })
	return sorted, nil
}

// compare orders two lines; what is unknown comes last also in reverse.
func (c column) compare(a, b summary, reverse bool) int {
	order := 0
	switch value := c.value(a).(type) {
	case string:
		order = strings.Compare(value, c.value(b).(string))
	case int:
		order = cmp.Compare(value, c.value(b).(int))
	case number:
		x, y := float64(value), float64(c.value(b).(number))
		if math.IsNaN(x) || math.IsNaN(y) {
			return cmp.Compare(boolInt(math.IsNaN(x)), boolInt(math.IsNaN(y)))
		}
		order = cmp.Compare(x, y)
	}
	if reverse {
		return -order
	}
	return order
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
