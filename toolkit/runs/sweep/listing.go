package sweep

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"stochdepth/toolkit/internal/say"
)

// WritePlan writes a line for each job, with its time and memory if there are estimates, and in total what is left.
// workers is this machine's default number of workers.
func WritePlan(w io.Writer, list []Status, estimates []Estimate, workers int) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var remaining time.Duration
	var memory int64
	fmt.Fprint(table, "index\tname\tstate")
	if estimates != nil {
		fmt.Fprint(table, "\ttime\tmemory")
	}
	fmt.Fprintln(table)
	for i, status := range list {
		fmt.Fprintf(table, "%d\t%s\t%s", status.Index, status.Name, status.State)
		if estimates != nil {
			e := estimates[i]
			fmt.Fprintf(table, "\t%s\t%.1f GB", e.Time.Round(time.Second), float64(e.Memory)/1e9)
			remaining += time.Duration(float64(e.Time) * (1 - status.Part()))
			memory = max(memory, e.Memory)
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, Summary(list))
	if err == nil && estimates != nil {
		_, err = fmt.Fprintf(w, "The remaining runs take about %s, one at a time with the whole machine; "+
			"up to %.1f GB of memory per worker. By default this machine has %d.\n",
			remaining.Round(time.Second), float64(memory)/1e9, workers)
	}
	return err
}

// WriteStatus writes a line for each job, how far it is and why not farther, and in total what is left.
func WriteStatus(w io.Writer, list []Status) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "index\tname\tstate\tepochs\t")
	for _, status := range list {
		epochs := fmt.Sprintf("%.4g/%d", status.Part()*float64(status.Recipe.Epochs), status.Recipe.Epochs)
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", status.Index, status.Name, status.State, epochs, say.Shown(status.Why))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	summary, running := Summary(list), Count(list)[Running]
	if remaining, ok := TimeRemaining(list, running); ok && remaining > 0 {
		summary += fmt.Sprintf("; about %s left with %d at a time", remaining.Round(time.Second), max(1, running))
	}
	_, err := fmt.Fprintln(w, summary)
	return err
}
