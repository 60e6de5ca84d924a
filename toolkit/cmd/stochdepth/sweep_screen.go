package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"stochdepth/toolkit/notebook"
	"stochdepth/toolkit/runs/sweep"
)

// sweepScreen shows how far a sweep is: on a terminal a bar for the whole and a line for each worker, drawn over
// again; elsewhere a line for what has ended, and one for the whole now and then.
type sweepScreen struct {
	name  string
	drawn time.Time
	lines int           // on the terminal, to be drawn over
	bar   *notebook.Bar // where there is no terminal
	last  sweep.Progress
}

func newSweepScreen(name string) *sweepScreen {
	s := &sweepScreen{name: name}
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		s.bar = notebook.NewBar(0, name, "runs")
	}
	return s
}

func (s *sweepScreen) progress(p sweep.Progress) {
	s.last = p
	if p.Ended != nil {
		s.note(escape(fmt.Sprintf("%s: %s", p.Ended.Name, describeEnd(p.Ended.Report))))
	}
	if s.bar != nil {
		s.bar.SetTotal(int64(p.Total))
		s.bar.Estimate(0, p.Remaining)
		s.bar.Set(int64(p.Counts[sweep.Done]), s.state())
		return
	}
	if p.Ended != nil || time.Since(s.drawn) >= 200*time.Millisecond {
		s.draw()
	}
}

// state says what the workers do, in a line.
func (s *sweepScreen) state() string {
	var parts []string
	if failed := s.last.Counts[sweep.Failed]; failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", failed))
	}
	for _, a := range s.last.Running {
		parts = append(parts, fmt.Sprintf("%s %.0f%%", a.Name, 100*share(a.Report)))
	}
	if others := s.last.Counts[sweep.Running] - len(s.last.Running); others > 0 {
		parts = append(parts, fmt.Sprintf("%d by other processes", others))
	}
	return strings.Join(parts, ", ")
}

func (s *sweepScreen) draw() {
	p := s.last
	head := fmt.Sprintf("%s %s %3.0f%%, %d of %d runs", s.name, barOf(p.Part), 100*p.Part, p.Counts[sweep.Done], p.Total)
	if failed := p.Counts[sweep.Failed]; failed > 0 {
		head += fmt.Sprintf(", %d failed", failed)
	}
	if others := p.Counts[sweep.Running] - len(p.Running); others > 0 {
		head += fmt.Sprintf(", %d by other processes", others)
	}
	if p.Remaining > 0 {
		head += ", " + p.Remaining.Round(time.Second).String() + " left"
	}
	lines := []string{head}
	for _, a := range p.Running {
		text := a.Text
		if text == "" {
			text = a.Phase
		}
		lines = append(lines, fmt.Sprintf("  %s %s %s", a.Name, barOf(share(a.Report)), text))
	}
	width, _, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil || width < 10 {
		width = 80
	}
	s.erase()
	for _, line := range lines {
		if r := []rune(line); len(r) >= width { // a line that wraps cannot be drawn over
			line = string(r[:width-1])
		}
		fmt.Fprintln(os.Stderr, line)
	}
	s.lines, s.drawn = len(lines), time.Now()
}

func (s *sweepScreen) erase() {
	if s.lines > 0 {
		fmt.Fprintf(os.Stderr, "\x1b[%dA\r\x1b[J", s.lines)
		s.lines = 0
	}
}

// note writes a line that stays.
func (s *sweepScreen) note(line string) {
	if s.bar != nil {
		s.bar.Note(line)
		return
	}
	s.erase()
	fmt.Fprintln(os.Stderr, line)
}

// done ends with the bar as it last was.
func (s *sweepScreen) done() {
	if s.bar != nil {
		s.bar.Done(s.state())
		return
	}
	s.draw()
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
	return r.Message // says it all
}

// share is the part of a run that is done.
func share(r sweep.Report) float64 {
	if r.Steps == 0 {
		return 0
	}
	return float64(r.Step) / float64(r.Steps)
}

func barOf(part float64) string {
	const cells = 20
	full := int(cells * max(0, min(1, part)))
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full)
}
