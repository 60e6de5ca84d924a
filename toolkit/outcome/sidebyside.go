package outcome

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Side is one of the two things compared.
type Side struct {
	Name string // as the user called it
	Runs []*runs.Run
}

// WriteSides writes the comparison of two sides as text for people: the keys in which their recipes differ, their
// results, and the differences, b minus a. If the sides share seeds, only these are compared, and the text names the runs
// that are left out.
func WriteSides(w io.Writer, a, b Side) error {
	c, notCompared := ContrastOf(TestError, a.Runs, b.Runs)
	saved, margin, noTimes := TimeSaved(a.Runs, b.Runs)
	all := slices.Concat(a.Runs, b.Runs)
	a.Runs, b.Runs = OfSharedSeeds(a.Runs, b.Runs)
	compared := slices.Concat(a.Runs, b.Runs)
	var table [][]string
	write := func(what, a, b, difference string) { table = append(table, []string{what, a, b, difference}) }
	write("", say.Shown(a.Name), say.Shown(b.Name), "difference")
	if max(len(a.Runs), len(b.Runs)) > 1 {
		write("runs", fmt.Sprint(len(a.Runs)), fmt.Sprint(len(b.Runs)), "")
	}
	for _, key := range recipes.Keys() {
		value := func(r *runs.Run) string { return cmp.Or(r.Recipe.Get(key), `""`) }
		if x, y := a.values(value), b.values(value); key != "description" && x != y {
			write(key, x, y, "")
		}
	}
	if slices.ContainsFunc(compared, (*runs.Run).Unfinished) {
		done := func(r *runs.Run) string { return fmt.Sprintf("%.4g", r.EpochsDone()) }
		write("epochs done", a.values(done), b.values(done), "")
	}
	otherMachines := OneMachine(a.Runs, b.Runs)
	for _, line := range sideBySide {
		x, y := line.Known(a.Runs), line.Known(b.Runs)
		difference := ""
		if d := y.Mean - x.Mean; x.N == len(a.Runs) && y.N == len(b.Runs) { // or else they have different seeds
			difference = fmt.Sprintf("%+.3g", d)
		}
		switch {
		case line.Name == TestError.Name && notCompared == nil:
			difference = ascii(c.Points(2))
		case line.Name == TrainingTime.Name && noTimes == nil:
			difference = ascii(interval(0-100*saved, 100*margin, 0)) + " %"
		case line.Name == TrainingTime.Name || line.Name == StepTime.Name && otherMachines != nil:
			difference = ""
		}
		write(line.head, line.text(x), line.text(y), difference)
	}
	if x, y := a.machines(), b.machines(); x != y || strings.Contains(x, "; ") {
		write("machine", x, y, "")
	}
	sentences := []string{conclusion(a, b, c, notCompared)}
	if left := names(all, func(r *runs.Run) bool { return !slices.Contains(compared, r) }); left != "" {
		sentences = append(sentences, fmt.Sprintf("Left out, as the other side does not have their seeds: %s.", left))
	}
	if left := names(compared, (*runs.Run).Unfinished); left != "" {
		sentences = append(sentences, fmt.Sprintf("Not trained to the end: %s.", left))
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", say.Aligned(table, nil), strings.Join(sentences, "\n"))
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
func conclusion(a, b Side, c Contrast, notCompared error) string {
	if notCompared != nil {
		return fmt.Sprintf("The test errors are not compared: %s.", notCompared)
	}
	text := fmt.Sprintf("Test error of %s: %s points", say.Shown(b.Name), ascii(c.Points(2)))
	switch {
	case math.IsNaN(c.StandardError):
		text += " (a run alone has no interval: other seeds tell how much is chance)"
	case math.IsNaN(c.Margin()):
		text += " (the same for all seeds, so that it has no interval; ± is the deviation over the seeds)"
	case c.Pairs > 0:
		text += fmt.Sprintf(" (in brackets the 95 %% interval by Student's t of the differences of %d seeds; "+
			"± is the deviation over the seeds)", c.Pairs)
	default:
		text += " (in brackets the 95 % interval by Welch's t, of two groups that share no seed; ± is the deviation over the seeds)"
	}
	if c.Pairs > 1 {
		text += fmt.Sprintf(", lower in %d of %d seeds", c.Wins, c.Pairs)
	}
	text += "."
	// There is more to say of constant and stochastic depth, whichever comes first.
	full, err := Compare(a.Runs, b.Runs)
	if err != nil {
		full, err = Compare(b.Runs, a.Runs)
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

// ascii writes minus signs that every terminal and every tool for text knows.
func ascii(s string) string { return strings.ReplaceAll(s, "−", "-") }

// values lists the different texts that the runs of a side have.
func (s Side) values(textOf func(*runs.Run) string) string {
	values := distinct(s.Runs, func(r *runs.Run) []string { return []string{say.Shown(textOf(r))} })
	if most := 6; len(values) > most {
		values = append(values[:most], fmt.Sprintf("... (%d values)", len(values)))
	}
	return strings.Join(values, ", ")
}

// machines lists the different machines that the results of a side name.
func (s Side) machines() string { return strings.Join(distinct(s.Runs, machinesOf), "; ") }

// sideLine is a line of the comparison.
type sideLine struct {
	head string
	Quantity
}

var sideBySide = []sideLine{{"validation error %", ValidationError}, {"test error %", TestError}, {"best epoch", BestEpoch},
	{"training loss", TrainingLoss}, {"open blocks", OpenBlocks}, {"training time", TrainingTime}, {"time a step, ms", StepTime}}

// text is a mean with its deviation, where there are several runs.
func (l sideLine) text(e Estimate) string {
	switch {
	case e.N == 0:
		return "-"
	case l.Name == TrainingTime.Name:
		return say.SpanOf(e.Mean)
	case e.N == 1:
		return fmt.Sprintf("%.4g", e.Mean)
	}
	return fmt.Sprintf("%.4g ± %.2g", e.Mean, e.Deviation)
}
