// Package compare sets two runs, or two groups of runs that differ in their seeds, side by side: what differs in their
// recipes, what came out, and by how much.
package compare

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Side is one of the two things compared.
type Side struct {
	Name string // as the user called it
	Runs []*runs.Run
}

// Write writes the comparison of two sides as text for people: the keys in which their recipes differ, their results, and
// the differences, b minus a. Of sides that share seeds, all is of these, and the text names the runs that are left out.
func Write(w io.Writer, a, b Side) error {
	c, none := figures.ContrastOf(a.Runs, b.Runs)
	saved, margin, timeless := figures.TimeSaved(a.Runs, b.Runs)
	all := slices.Concat(a.Runs, b.Runs)
	a.Runs, b.Runs = figures.OfSharedSeeds(a.Runs, b.Runs)
	compared := slices.Concat(a.Runs, b.Runs)
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	line := func(what, a, b, difference string) { fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", what, a, b, difference) }
	line("", say.Shown(a.Name), say.Shown(b.Name), "difference")
	if max(len(a.Runs), len(b.Runs)) > 1 {
		line("runs", fmt.Sprint(len(a.Runs)), fmt.Sprint(len(b.Runs)), "")
	}
	for _, key := range recipes.Keys() {
		value := func(r *runs.Run) string { return cmp.Or(r.Recipe.Get(key), `""`) }
		if x, y := a.values(value), b.values(value); key != "description" && x != y {
			line(key, x, y, "")
		}
	}
	if slices.ContainsFunc(compared, (*runs.Run).Unfinished) {
		done := func(r *runs.Run) string { return fmt.Sprintf("%.4g", r.EpochsDone()) }
		line("epochs done", a.values(done), b.values(done), "")
	}
	elsewhere := figures.OneMachine(a.Runs, b.Runs)
	for _, r := range results {
		x, y := a.average(r), b.average(r)
		difference := ""
		if d := y.Mean - x.Mean; x.N == len(a.Runs) && y.N == len(b.Runs) { // else they are not of the same seeds
			difference = fmt.Sprintf("%+.3g", d)
		}
		switch {
		case r.name == testError && none == nil:
			difference = points(c)
		case r.name == trainingTime && timeless == nil:
			difference = interval(0-100*saved, 100*margin, 0) + " %"
		case r.name == trainingTime || r.name == stepTime && elsewhere != nil:
			difference = ""
		}
		line(r.name, r.text(x), r.text(y), difference)
	}
	if x, y := a.machines(), b.machines(); x != y || strings.Contains(x, "; ") {
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
	sentences := []string{conclusion(a, b, c, none)}
	if left := names(all, func(r *runs.Run) bool { return !slices.Contains(compared, r) }); left != "" {
		sentences = append(sentences, fmt.Sprintf("Left out, as the other side does not have their seeds: %s.", left))
	}
	if left := names(compared, (*runs.Run).Unfinished); left != "" {
		sentences = append(sentences, fmt.Sprintf("Not trained to the end: %s.", left))
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(sentences, "\n"))
	return err
}

// names lists the names of some runs.
func names(list []*runs.Run, which func(*runs.Run) bool) string {
	var names []string
	for _, run := range list {
		if which(run) {
			names = append(names, say.Shown(run.Name))
		}
	}
	return strings.Join(names, ", ")
}

// conclusion says in sentences what the differences mean, or why they mean little.
func conclusion(a, b Side, c figures.Contrast, none error) string {
	if none != nil {
		return fmt.Sprintf("The test errors are not compared: %s.", none)
	}
	text := fmt.Sprintf("Test error of %s: %s points", say.Shown(b.Name), points(c))
	switch {
	case math.IsNaN(c.StandardError):
		text += " (a run alone has no interval: other seeds tell how much is chance)"
	case math.IsNaN(c.Margin()):
		text += " (the same for all seeds, so that it has no interval; ± is the deviation over the seeds)"
	case c.Pairs > 0:
		text += fmt.Sprintf(" (in brackets the 95 %% interval by Student's t of the differences of %d seeds; ± is the deviation over the seeds)", c.Pairs)
	default:
		text += " (in brackets the 95 % interval by Welch's t, of two groups that share no seed; ± is the deviation over the seeds)"
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
		if full.NoTimeSaved == nil {
			saved, than := full.TimeSaved, "less"
			if saved < 0 {
				saved, than = -saved, "more"
			}
			text += fmt.Sprintf(" and took %.0f %% %s time", 100*saved, than)
			if m := full.TimeSavedMargin; !math.IsNaN(m) {
				text += fmt.Sprintf(" (95 %% interval %.0f to %.0f %%)", 100*(saved-m)+0, 100*(saved+m)+0)
			}
		}
		text += "."
	}
	if full.NoTimeSaved != nil {
		text += fmt.Sprintf("\nThe times are not compared: %s.", full.NoTimeSaved)
	}
	return text
}

// points is a difference of errors, with its interval.
func points(c figures.Contrast) string { return interval(c.Difference, c.Margin(), 2) }

// interval is a difference with its interval, if it has a margin: "-2.50 [-9.42, +4.42]".
func interval(difference, margin float64, digits int) string {
	s := fmt.Sprintf("%+.*f", digits, difference)
	if !math.IsNaN(margin) {
		s += fmt.Sprintf(" [%+.*f, %+.*f]", digits, difference-margin, digits, difference+margin)
	}
	return s
}

// values are the different texts that the runs of a side have.
func (s Side) values(of func(*runs.Run) string) string {
	var values []string
	for _, run := range s.Runs {
		if value := say.Shown(of(run)); !slices.Contains(values, value) {
			values = append(values, value)
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
		if run.Result == nil {
			continue
		}
		for _, name := range run.Result.Machines() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, "; ")
}

// result is a number that came out of a run.
type result struct {
	name string
	of   func(*runs.Run) float64 // NaN: not known
	time bool                    // in seconds
}

// Results whose differences are more than those of two means.
const (
	testError    = "test error %"
	trainingTime = "training time"
	stepTime     = "time a step, ms"
)

var results = []result{
	{name: "validation error %", of: func(r *runs.Run) float64 { return best(r).ValidationError }},
	{name: testError, of: func(r *runs.Run) float64 { return best(r).TestError }},
	{name: "best epoch", of: func(r *runs.Run) float64 { return best(r).Epoch }},
	{name: "training loss", of: func(r *runs.Run) float64 { return last(r).TrainLoss }},
	{name: "open blocks", of: func(r *runs.Run) float64 { return r.OpenBlocks() }},
	{name: trainingTime, of: (*runs.Run).Seconds, time: true},
	{name: stepTime, of: func(r *runs.Run) float64 { return 1000 * last(r).Seconds / float64(last(r).Step) }},
}

var unknown = runs.Row{Epoch: math.NaN(), TrainLoss: math.NaN(), ValidationError: math.NaN(), TestError: math.NaN(),
	Seconds: math.NaN()}

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
		return say.SpanOf(e.Mean)
	case e.N == 1:
		return fmt.Sprintf("%.4g", e.Mean)
	}
	return fmt.Sprintf("%.4g ± %.2g", e.Mean, e.Deviation)
}
