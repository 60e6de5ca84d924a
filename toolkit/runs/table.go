package runs

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"stochdepth/toolkit/internal/say"
)

// summary is what a line of Table is made from.
type summary struct {
	Name            string
	Dataset         string
	Depth           int // layers
	Rule            string
	DeathRate       number
	EpochsDone      number
	Epochs          int
	BestEpoch       number
	ValidationError number // percent, at the best epoch
	TestError       number // percent, at the best epoch
	StepsPerSecond  number
	Hours           number // of training so far
	Status          string
}

// column is a column of Table.
type column struct {
	key   string               // in the formats for programs
	sort  string               // its name in a Selection; "" if that does not know it
	head  string               // for people; "" if hidden from them
	value func(summary) any    // a string, an int or a number
	shown func(summary) string // what people see, if not just the value
}

// columns are the columns of Table, in order.
var columns = []column{
	{"name", "name", "name", func(s summary) any { return s.Name }, nil},
	{"dataset", "dataset", "data set", func(s summary) any { return s.Dataset }, nil},
	{"depth", "depth", "depth", func(s summary) any { return s.Depth }, nil},
	{"rule", "rule", "rule", func(s summary) any { return s.Rule }, nil},
	{"death_rate", "death-rate", "death rate", func(s summary) any { return s.DeathRate }, summary.deathRate},
	{"epochs_done", "epochs", "epochs", func(s summary) any { return s.EpochsDone },
		func(s summary) string { return rounded(s.EpochsDone, 1) + "/" + strconv.Itoa(s.Epochs) }},
	{"epochs", "", "", func(s summary) any { return s.Epochs }, nil},
	{"best_epoch", "best-epoch", "best epoch", func(s summary) any { return s.BestEpoch },
		func(s summary) string { return rounded(s.BestEpoch, 1) }},
	{"validation_error", "validation-error", "validation %", func(s summary) any { return s.ValidationError },
		func(s summary) string { return rounded(s.ValidationError, 2) }},
	{"test_error", "test-error", "test %", func(s summary) any { return s.TestError },
		func(s summary) string { return rounded(s.TestError, 2) }},
	{"steps_per_second", "speed", "steps/s", func(s summary) any { return s.StepsPerSecond },
		func(s summary) string { return rounded(s.StepsPerSecond, 2) }},
	{"hours", "time", "time", func(s summary) any { return s.Hours }, summary.time},
	{"status", "status", "status", func(s summary) any { return s.Status }, nil},
}

func summarize(r *Run) summary {
	nan := number(math.NaN())
	s := summary{
		Name: r.Name, Dataset: r.Recipe.Dataset, Depth: r.Recipe.Depth,
		Rule: r.Recipe.RuleName(), DeathRate: number(r.Recipe.DeathRate), Epochs: r.Recipe.Epochs,
		EpochsDone: number(r.EpochsDone()), Hours: number(r.Seconds() / 3600),
		BestEpoch: nan, ValidationError: nan, TestError: nan, StepsPerSecond: nan, Status: r.Status(),
	}
	if best, ok := r.Selected(); ok {
		s.BestEpoch, s.ValidationError, s.TestError = number(best.Epoch), number(best.ValidationError), number(best.TestError)
	}
	if n := len(r.Rows); n > 0 && r.Rows[n-1].Seconds > 0 {
		s.StepsPerSecond = number(float64(r.Rows[n-1].Step) / r.Rows[n-1].Seconds)
	} else if n == 0 && r.Result != nil {
		s.StepsPerSecond = number(r.Result.StepsPerSecond)
	}
	return s
}

// Table writes one line for each run: what it is, how far it got, and the errors (percent) at its best validation epoch.
// Format "table" is for people (rounded, a dash for unknown), "tsv", "csv" and "json" are for programs (exact; unknown
// numbers are NaN, and null in JSON).
func Table(w io.Writer, runs []*Run, format string) error {
	summaries := make([]summary, len(runs)) // not nil: no runs are [] in JSON
	for i, r := range runs {
		summaries[i] = summarize(r)
	}
	switch format {
	case "table":
		return writeAligned(w, summaries)
	case "tsv", "csv":
		var head []string
		for _, c := range columns {
			head = append(head, c.key)
		}
		lines := make([][]string, len(summaries))
		for i, s := range summaries {
			for _, c := range columns {
				lines[i] = append(lines[i], c.exact(s))
			}
		}
		return say.WriteSeparated(w, format, head, lines)
	case "json":
		return say.WriteJSON(w, summaries)
	}
	return say.CheckFormat(format)
}

// MarshalJSON writes the line as an object of its columns, in their order.
func (s summary) MarshalJSON() ([]byte, error) {
	var members []string
	for _, c := range columns {
		value, err := json.Marshal(c.value(s))
		if err != nil {
			return nil, err
		}
		members = append(members, fmt.Sprintf("%q:%s", c.key, value))
	}
	return []byte("{" + strings.Join(members, ",") + "}"), nil
}

// exact is the column's cell for programs.
func (c column) exact(s summary) string {
	switch v := c.value(s).(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	default:
		return say.Exact(float64(v.(number)))
	}
}

// writeAligned writes the columns for people, texts to the left and numbers to the right.
func writeAligned(w io.Writer, summaries []summary) error {
	visible := slices.DeleteFunc(slices.Clone(columns), func(c column) bool { return c.head == "" })
	table := make([][]string, 1+len(summaries))
	widths := make([]int, len(visible))
	for i, c := range visible {
		table[0] = append(table[0], c.head)
		for j, s := range summaries {
			cell := c.exact(s)
			if c.shown != nil {
				cell = c.shown(s)
			}
			table[1+j] = append(table[1+j], say.Shown(cell))
		}
		for _, line := range table {
			widths[i] = max(widths[i], utf8.RuneCountInString(line[i]))
		}
	}
	var text strings.Builder
	for _, line := range table {
		var out strings.Builder
		for i, cell := range line {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if _, isText := visible[i].value(summary{}).(string); isText {
				out.WriteString(cell + padding + "  ")
			} else {
				out.WriteString(padding + cell + "  ")
			}
		}
		text.WriteString(strings.TrimRight(out.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// deathRate is the death rate for people; a dash where each block has its own.
func (s summary) deathRate() string {
	if s.Rule == "list" {
		return "-"
	}
	return rounded(s.DeathRate, -1)
}

// time is how long the training took so far, for people.
func (s summary) time() string {
	if math.IsNaN(float64(s.Hours)) {
		return "-"
	}
	return say.SpanOf(float64(s.Hours) * 3600)
}

// rounded writes n with this many digits after the point; a single digit is left out if it is zero. NaN is a dash.
func rounded(n number, digits int) string {
	x := float64(n)
	switch {
	case math.IsNaN(x):
		return "-"
	case digits == 1 && x == math.Trunc(x): // epochs are whole, mostly
		digits = 0
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}
