package runs

import (
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// summary is one line of Table.
type summary struct {
	Name            string `json:"name"`
	Dataset         string `json:"dataset"`
	Depth           int    `json:"depth"` // layers
	Rule            string `json:"rule"`
	DeathRate       number `json:"death_rate"`
	EpochsDone      number `json:"epochs_done"`
	Epochs          int    `json:"epochs"`
	BestEpoch       number `json:"best_epoch"`
	ValidationError number `json:"validation_error"` // percent, at the best epoch
	TestError       number `json:"test_error"`       // percent, at the best epoch
	StepsPerSecond  number `json:"steps_per_second"`
	Hours           number `json:"hours"` // of training so far
	Status          string `json:"status"`
}

func summarize(r *Run) summary {
	nan := number(math.NaN())
	s := summary{
		Name: r.Name, Dataset: r.Recipe.Dataset, Depth: r.Recipe.Depth,
		Rule: ruleName(r.Recipe), DeathRate: number(r.Recipe.DeathRate), Epochs: r.Recipe.Epochs,
		BestEpoch: nan, ValidationError: nan, TestError: nan, StepsPerSecond: nan, Hours: nan,
		Status: r.Status(),
	}
	if n := len(r.Rows); n > 0 {
		last := r.Rows[n-1]
		s.EpochsDone, s.Hours = number(last.Epoch), number(last.Seconds/3600)
		if last.Seconds > 0 {
			s.StepsPerSecond = number(float64(last.Step) / last.Seconds)
		}
	}
	if best, ok := r.Best(); ok {
		s.BestEpoch, s.ValidationError, s.TestError = number(best.Epoch), number(best.ValidationError), number(best.TestError)
	}
	if r.Result != nil && len(r.Rows) == 0 { // recorded without its log
		s.EpochsDone, s.Hours = number(r.Result.Epochs), number(r.Result.WallSeconds/3600)
		s.BestEpoch, s.ValidationError, s.TestError = number(r.Result.BestEpoch), number(r.Result.ValidationError), number(r.Result.TestError)
		s.StepsPerSecond = number(r.Result.StepsPerSecond)
	}
	return s
}

// ruleName is the recipe's survival rule, "constant" where no block ever closes.
func ruleName(r Recipe) string {
	if r.IsConstant() {
		return "constant"
	}
	return r.Rule
}

// Table writes one line a run: what it is, how far it got, and the errors (percent) at its best validation epoch.
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
		lines := make([][]string, len(summaries))
		for i, s := range summaries {
			lines[i] = s.cells()
		}
		return WriteSeparated(w, format, strings.Split("name dataset depth rule death_rate epochs_done epochs best_epoch validation_error test_error steps_per_second hours status", " "), lines)
	case "json":
		return WriteJSON(w, summaries)
	}
	return CheckFormat(format)
}

// cells are the line in exact numbers, in the order of its fields.
func (s summary) cells() []string {
	return []string{s.Name, s.Dataset, strconv.Itoa(s.Depth), s.Rule, exact(s.DeathRate), exact(s.EpochsDone), strconv.Itoa(s.Epochs),
		exact(s.BestEpoch), exact(s.ValidationError), exact(s.TestError), exact(s.StepsPerSecond), exact(s.Hours), s.Status}
}

func writeAligned(w io.Writer, summaries []summary) error {
	table := [][]string{{"name", "data set", "depth", "rule", "death rate", "epochs", "best epoch", "validation %", "test %", "steps/s", "time", "status"}}
	for _, s := range summaries {
		rule, deathRate := s.Rule, rounded(s.DeathRate, -1)
		if rule == "list" {
			deathRate = "-" // one a block
		}
		table = append(table, shownAll([]string{s.Name, s.Dataset, strconv.Itoa(s.Depth), rule, deathRate,
			rounded(s.EpochsDone, 1) + "/" + strconv.Itoa(s.Epochs), rounded(s.BestEpoch, 1),
			rounded(s.ValidationError, 2), rounded(s.TestError, 2), rounded(s.StepsPerSecond, 2), s.time(), s.Status}))
	}
	const texts = "name data set rule status" // aligned left, numbers right
	widths := make([]int, len(table[0]))
	for _, line := range table {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, line := range table {
		var out strings.Builder
		for i, cell := range line {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if strings.Contains(texts, table[0][i]) {
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

// time is how long the training took so far, for people.
func (s summary) time() string {
	if math.IsNaN(float64(s.Hours)) {
		return "-"
	}
	return SpanOf(float64(s.Hours) * 3600)
}

func exact(n number) string { return formatFloat(float64(n)) }

// rounded gives so many digits after the point, fewer where they are zeros of a whole number; a dash for NaN.
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
