package commands

import (
	"cmp"
	"fmt"
	"strings"

	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/runs/sweep"
)

// showSweep shows on a bar that counts runs how far a sweep has come, with a line for each run that ends. done ends the bar.
func showSweep(bar *progress.Bar) (show func(sweep.Progress), done func()) {
	state := ""
	return func(p sweep.Progress) {
		if p.Ended != nil {
			bar.Note(escape(fmt.Sprintf("%s: %s", p.Ended.Name, describeEnd(p.Ended.Report))))
		}
		var jobs []progress.Job
		for _, a := range p.Running {
			part := float64(a.Step) / float64(max(1, a.Steps))
			jobs = append(jobs, progress.Job{Name: a.Name, Text: cmp.Or(a.Text, a.Phase), Part: part})
		}
		var others []string
		if failed := p.Counts[sweep.Failed]; failed > 0 {
			others = append(others, fmt.Sprintf("%d failed", failed))
		}
		if elsewhere := p.Counts[sweep.Running] - len(p.Running); elsewhere > 0 {
			others = append(others, fmt.Sprintf("%d by other processes", elsewhere))
		}
		state = strings.Join(others, ", ")
		bar.SetTotal(int64(p.Total))
		bar.Estimate(0, p.Remaining)
		bar.Jobs(p.Part, jobs...)
		bar.Set(int64(p.Counts[sweep.Done]), state)
	}, func() { bar.Done(state) }
}

func describeEnd(r sweep.Report) string {
	switch r.End {
	case sweep.Finished:
		return "done, " + r.Message
	case sweep.Error:
		line, _, _ := strings.Cut(r.Message, "\n")
		return "failed, " + line
	case sweep.Elsewhere:
		return "left to another process, which began it just before"
	}
	return r.Message
}
