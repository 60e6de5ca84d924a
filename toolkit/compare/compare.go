// Package compare sets two runs, or two groups of runs that differ in their seeds, side by side: what differs in their
// recipes, what came out, and by how much.
package compare

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/runs"
)

// Side is one of the two things compared.
type Side struct {
	Name string // as the user called it
	Runs []*runs.Run
}

// Write writes the comparison of two sides as text for people: the keys in which their recipes differ, their results, and
// the differences, b minus a.
func Write(w io.Writer, a, b Side) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	line := func(what, a, b, difference string) { fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", what, a, b, difference) }
	line("", runs.Shown(a.Name), runs.Shown(b.Name), "difference")
	if max(len(a.Runs), len(b.Runs)) > 1 {
		line("runs", fmt.Sprint(len(a.Runs)), fmt.Sprint(len(b.Runs)), "")
	}
	for _, key := range runs.RecipeKeys() {
		if x, y := a.values(key), b.values(key); key != "description" && x != y {
			line(key, x, y, "")
		}
	}
	c, none := figures.ContrastOf(a.Runs, b.Runs)
	for _, r := range results {
		x, y := a.average(r), b.average(r)
		difference := r.difference(x, y)
		if r.name == testError && none == nil {
			difference = signed(c.Difference, c.StandardError)
		}
		line(r.name, r.text(x), r.text(y), difference)
	}
	if x, y := a.machines(), b.machines(); x != y {
		line("machine", x, y, "")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) { // without the spaces of empty cells
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", conclusion(a, b, c, none))
	return err
}

// conclusion says in sentences what the differences mean, or why they mean little.
func conclusion(a, b Side, c figures.Contrast, none error) string {
	if none != nil {
		return fmt.Sprintf("The test errors are not compared: %s.", none)
	}
	text := fmt.Sprintf("Test error of %s: %s points", runs.Shown(b.Name), signed(c.Difference, c.StandardError))
	switch {
	case math.IsNaN(c.StandardError):
		text += " (a run alone has no standard error: other seeds tell how much is chance)"
	case c.Paired:
		text += fmt.Sprintf(" (± is the standard error of the differences of %d seeds; beside a mean, the deviation over them)", c.Pairs)
	default:
		text += " (± is the standard error of two groups that have not the same seeds; beside a mean, the deviation over them)"
	}
	if c.Pairs > 1 {
		text += fmt.Sprintf(", lower in %d of %d seeds", c.Wins, c.Pairs)
	}
	text += "."
	// Of constant and stochastic depth there is more to say, whichever comes first.
	full, err := figures.Compare(a.Runs, b.Runs)
	if err != nil {
		full, err = figures.Compare(b.Runs, a.Runs)
	}
	if err != nil {
		return text
	}
	if !math.IsNaN(full.BlocksSaved) {
		text += fmt.Sprintf("\nStochastic depth left out %.0f %% of the blocks", 100*full.BlocksSaved)
		if !math.IsNaN(full.TimeSaved) {
			text += fmt.Sprintf(" and took %.0f %% less time", 100*full.TimeSaved)
			if !math.IsNaN(full.TimeSavedError) {
				text += fmt.Sprintf(" (± %.0f)", 100*full.TimeSavedError)
			}
		}
		text += "."
	}
	return text
}

// values are the different values that a key of the recipe has in a side.
func (s Side) values(key string) string {
	var values []string
	for _, run := range s.Runs {
		value := run.Recipe.Get(key)
		if value == "" {
			value = `""`
		}
		if !slices.Contains(values, value) {
			values = append(values, runs.Shown(value))
		}
	}
	if most := 6; len(values) > most {
		values = append(values[:most], fmt.Sprintf("... (%d values)", len(values)))
	}
	return strings.Join(values, ", ")
}

// machines are the different machines that the results of a side name.
func (s Side) machines() string {
	var names []string
	for _, run := range s.Runs {
		if run.Result != nil && !slices.Contains(names, run.Result.Machine) {
			names = append(names, run.Result.Machine)
		}
	}
	return strings.Join(names, "; ")
}

// result is a number that came out of a run.
type result struct {
	name string
	of   func(*runs.Run) float64 // NaN: not known
	time bool                    // in seconds, and compared in percent
}

const testError = "test error %"

var results = []result{
	{name: "validation error %", of: func(r *runs.Run) float64 { return best(r).ValidationError }},
	{name: testError, of: func(r *runs.Run) float64 { return best(r).TestError }},
	{name: "best epoch", of: func(r *runs.Run) float64 { return best(r).Epoch }},
	{name: "training loss", of: func(r *runs.Run) float64 { return last(r).TrainLoss }},
	{name: "open blocks", of: func(r *runs.Run) float64 { return last(r).OpenBlocksMean }},
	{name: "training time", of: (*runs.Run).Seconds, time: true},
	{name: "time a step, ms", of: func(r *runs.Run) float64 { return 1000 * last(r).Seconds / float64(last(r).Step) }},
}

var unknown = runs.Row{Epoch: math.NaN(), TrainLoss: math.NaN(), ValidationError: math.NaN(), TestError: math.NaN(),
	OpenBlocksMean: math.NaN(), Seconds: math.NaN()}

// best is the selected row, whose test error is the one to report.
func best(r *runs.Run) runs.Row {
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

// average is the mean of a result over the runs that have it.
func (s Side) average(r result) figures.Estimate {
	var known []float64
	for _, run := range s.Runs {
		if x := r.of(run); !math.IsNaN(x) {
			known = append(known, x)
		}
	}
	return figures.Average(known...) // NaN without values
}

// text is a mean with its deviation, where there are several runs.
func (r result) text(e figures.Estimate) string {
	switch {
	case e.N == 0:
		return "-"
	case r.time:
		return runs.SpanOf(e.Mean)
	case e.N == 1:
		return fmt.Sprintf("%.4g", e.Mean)
	}
	return fmt.Sprintf("%.4g ± %.2g", e.Mean, e.Deviation)
}

// difference is by how much the second mean differs.
func (r result) difference(a, b figures.Estimate) string {
	switch d := b.Mean - a.Mean; {
	case math.IsNaN(d):
		return ""
	case r.time && a.Mean > 0:
		return fmt.Sprintf("%+.0f %%", 100*d/a.Mean)
	case r.time:
		return ""
	default:
		return fmt.Sprintf("%+.3g", d)
	}
}

// signed is a difference with its standard error, if it has one.
func signed(difference, standardError float64) string {
	if math.IsNaN(standardError) {
		return fmt.Sprintf("%+.2f", difference)
	}
	return fmt.Sprintf("%+.2f ± %.2f", difference, standardError)
}
