package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
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
