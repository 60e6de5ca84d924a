package notebook

import (
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
)

// screen is where a [Bar] is drawn.
type screen interface {
	due(p progress, sinceDrawn time.Duration) bool // is it time to draw again?
	draw(p progress)
	note(line string)
	end(p progress)
}

func inNotebook() bool { return gonbui.IsNotebook }

// cellScreen is one output of a notebook's cell.
type cellScreen struct{ id string }

func newCellScreen() cellScreen { return cellScreen{"bar-" + gonbui.UniqueId()} }

func (cellScreen) due(_ progress, sinceDrawn time.Duration) bool {
	return sinceDrawn >= 200*time.Millisecond
}

func (c cellScreen) draw(p progress) {
	value := "" // moves to and fro
	if fraction, ok := p.fraction(); ok {
		value = fmt.Sprintf(` value="%.4f"`, fraction)
	}
	bar := fmt.Sprintf(`<progress%s style="width: 16em; %s"></progress>`, value, accentStyle)
	gonbui.UpdateHTML(c.id, fmt.Sprintf("<div>%s %s %s</div>",
		html.EscapeString(p.label), bar, html.EscapeString(strings.Join(p.parts(), " · "))))
}

func (cellScreen) note(string) {}

func (c cellScreen) end(p progress) {
	if !HasReader() {
		p.elapsed = 0 // a notebook that is kept does not change for it
	}
	gonbui.UpdateHTML(c.id, "<div>"+html.EscapeString(p.result())+"</div>")
	flush()
}

// terminalScreen is one line of a terminal.
type terminalScreen struct {
	w     io.Writer
	width func() int // of the terminal, in columns; 0: unknown
}

func (terminalScreen) due(_ progress, sinceDrawn time.Duration) bool {
	return sinceDrawn >= 100*time.Millisecond
}

func (t terminalScreen) draw(p progress) {
	line := p.label + " "
	if fraction, ok := p.fraction(); ok {
		const cells = 20
		full := int(fraction * cells)
		line += strings.Repeat("█", full) + strings.Repeat("░", cells-full)
	}
	line += " " + strings.Join(p.parts(), ", ")
	if width := t.width(); width > 1 {
		if runes := []rune(line); len(runes) >= width { // a line that wraps cannot be drawn over
			line = string(runes[:width-1])
		}
	}
	fmt.Fprintf(t.w, "\r\x1b[K%s", line)
}

func (t terminalScreen) note(line string) { fmt.Fprintf(t.w, "\r\x1b[K%s\n", line) }

func (t terminalScreen) end(p progress) { fmt.Fprintf(t.w, "\r\x1b[K%s\n", p.result()) }

// logScreen is a log: a line at each tenth of the way, and every half minute.
type logScreen struct {
	w      io.Writer
	tenths int // already written
}

func (l *logScreen) due(p progress, sinceDrawn time.Duration) bool {
	fraction, _ := p.fraction()
	return sinceDrawn >= 30*time.Second || sinceDrawn >= time.Second && int(10*fraction) > l.tenths
}

func (l *logScreen) draw(p progress) {
	fraction, _ := p.fraction()
	l.tenths = int(10 * fraction)
	fmt.Fprintf(l.w, "%s: %s\n", p.label, strings.TrimSpace(strings.Join(p.parts(), ", ")))
}

func (l *logScreen) note(line string) { fmt.Fprintln(l.w, line) }

func (l *logScreen) end(p progress) { fmt.Fprintln(l.w, p.result()) }
