package progress

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"stochdepth/toolkit/internal/say"
)

// Screen is where a [Bar] is drawn.
type Screen interface {
	Due(s State, sinceDrawn time.Duration) bool // is it time to draw again?
	Draw(s State)
	Note(line string)
	End(s State)
}

// standardError is the terminal or the log.
func standardError() Screen {
	if term.IsTerminal(int(os.Stderr.Fd())) {
		return &terminal{w: os.Stderr, width: func() int {
			width, _, _ := term.GetSize(int(os.Stderr.Fd()))
			return width
		}}
	}
	return &logged{w: os.Stderr}
}

// terminal draws one line, and below it a line for each job at work.
type terminal struct {
	w     io.Writer
	width func() int // in columns; 0: unknown
	below int        // lines drawn below the first
}

func (*terminal) Due(_ State, sinceDrawn time.Duration) bool {
	return sinceDrawn >= 100*time.Millisecond
}

func (t *terminal) Draw(s State) {
	head := s.Label + " "
	if fraction, ok := s.Fraction(); ok {
		head += barOf(fraction)
	}
	lines := []string{head + " " + strings.Join(s.parts(), ", ")}
	for _, job := range s.jobs {
		lines = append(lines, fmt.Sprintf("  %s %s %s", job.Name, barOf(job.Part), job.Text))
	}
	if width := t.width(); width > 1 {
		for i, line := range lines {
			if runes := []rune(line); len(runes) >= width { // a line that wraps cannot be drawn over
				lines[i] = string(runes[:width-1])
			}
		}
	}
	t.write(strings.Join(lines, "\n"))
	t.below = len(lines) - 1
}

func (t *terminal) Note(line string) { t.write(line + "\n") }

func (t *terminal) End(s State) { t.write(s.Result() + "\n") }

// write replaces what is drawn.
func (t *terminal) write(text string) {
	erase := "\r\x1b[K"
	if t.below > 0 {
		erase = fmt.Sprintf("\r\x1b[%dA\x1b[J", t.below)
		t.below = 0
	}
	fmt.Fprint(t.w, erase+text)
}

// barOf draws a part in 0..1.
func barOf(part float64) string {
	const cells = 20
	full := int(cells * max(0, min(1, part)))
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full)
}

// logged writes a line at each tenth of the way, and every half minute.
type logged struct {
	w      io.Writer
	tenths int // already written
}

func (l *logged) Due(s State, sinceDrawn time.Duration) bool {
	fraction, _ := s.Fraction()
	return sinceDrawn >= 30*time.Second || sinceDrawn >= time.Second && int(10*fraction) > l.tenths
}

func (l *logged) Draw(s State) {
	fraction, _ := s.Fraction()
	l.tenths = int(10 * fraction)
	fmt.Fprintf(l.w, "%s: %s\n", s.Label, strings.TrimSpace(strings.Join(s.Parts(), ", ")))
}

func (l *logged) Note(line string) { fmt.Fprintln(l.w, line) }

func (l *logged) End(s State) { fmt.Fprintln(l.w, s.Result()) }

// State is the state of a job, as a [Bar] hands it to its [Screen].
type State struct {
	Label   string
	Elapsed time.Duration

	unit, text  string
	done, total int64 // total 0: unknown
	speed       float64
	remaining   time.Duration // 0: unknown
	jobs        []Job
	share       *float64 // done, in 0..1, if set by Bar.Jobs
}

// Job is a part of a larger job, while it is at work.
type Job struct {
	Name, Text string
	Part       float64 // done, in 0..1
}

// Fraction is the part that is done, in 0..1; false if the total is not known.
func (s State) Fraction() (float64, bool) {
	switch {
	case s.total <= 0:
		return 0, false
	case s.share != nil:
		return *s.share, true
	}
	return min(1, float64(s.done)/float64(s.total)), true
}

// Parts lists the numbers and texts in the order in which they are shown.
func (s State) Parts() []string {
	parts := s.parts()
	for _, job := range s.jobs {
		parts = append(parts, fmt.Sprintf("%s %.0f%%", job.Name, 100*job.Part))
	}
	return parts
}

// parts is Parts without the jobs.
func (s State) parts() []string {
	var parts []string
	if fraction, ok := s.Fraction(); ok {
		parts = append(parts, fmt.Sprintf("%3.0f%%", math.Floor(100*fraction)), s.count(s.done)+" of "+s.amount(s.total))
	} else if s.done > 0 || s.text == "" {
		parts = append(parts, s.amount(s.done))
	}
	if s.speed > 0 {
		parts = append(parts, s.rate())
	}
	if s.remaining > 0 {
		parts = append(parts, say.Span(s.remaining)+" left")
	}
	if s.text != "" {
		parts = append(parts, s.text)
	}
	return parts
}

// Result is the line that stays when the job has ended.
func (s State) Result() string {
	result := fmt.Sprintf("%s: %s", s.Label, s.amount(s.done))
	if s.Elapsed > 0 {
		result += " in " + say.Span(s.Elapsed)
	}
	if s.text != "" {
		result += ", " + s.text
	}
	return result
}

func (s State) inBytes() bool { return s.unit == "bytes" }

// amount is a count with its unit.
func (s State) amount(n int64) string {
	if s.inBytes() {
		return s.count(n) + " MB"
	}
	return strings.TrimSpace(s.count(n) + " " + s.unit)
}

func (s State) count(n int64) string {
	if s.inBytes() {
		return fmt.Sprintf("%.1f", float64(n)/1e6)
	}
	return say.Grouped(n)
}

func (s State) rate() string {
	switch {
	case s.inBytes():
		return fmt.Sprintf("%.1f MB/s", s.speed/1e6)
	case s.speed < 0.1: // slow enough to count the other way round
		return fmt.Sprintf("%.0f s each", 1/s.speed)
	case s.speed < 10:
		return fmt.Sprintf("%.2g/s", s.speed)
	}
	return fmt.Sprintf("%.0f/s", s.speed)
}
