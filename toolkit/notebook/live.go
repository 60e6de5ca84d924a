package notebook

import (
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/say"
)

// Live is a figure in the cell's output that is redrawn while the cell runs.
// Outside of a notebook it does nothing.
type Live struct {
	id    string
	drawn time.Time
}

// NewLive returns a figure that appears at the first [Live.Update].
func NewLive() *Live { return &Live{id: "live-" + gonbui.UniqueId()} }

// Update redraws the figure, unless that was done within the last 2 seconds.
// An error of draw leaves the figure as it was: at the beginning of a run there
// may be nothing to draw yet.
func (l *Live) Update(draw func() (*figures.Figure, error)) {
	if time.Since(l.drawn) >= 2*time.Second {
		_ = l.Done(draw)
		l.drawn = time.Now()
	}
}

// Done draws the figure for the last time.
func (l *Live) Done(draw func() (*figures.Figure, error)) error {
	if !gonbui.IsNotebook {
		return nil
	}
	figure, err := draw()
	if err != nil {
		return err
	}
	png, err := figure.PNG(resolution) // an SVG's letters depend on the reader's fonts
	if err != nil {
		return err
	}
	displayPNG(png, l.id, resolution)
	return nil
}

// LiveTable is a table in the cell's output that changes while the cell runs. Outside of a notebook it is printed once,
// at the end.
type LiveTable struct {
	id    string
	head  []string
	shown time.Time
}

// NewLiveTable returns a table that appears at the first update.
func NewLiveTable(head ...string) *LiveTable {
	return &LiveTable{id: "table-" + gonbui.UniqueId(), head: head}
}

// Update shows new rows, unless that was done within the last second.
func (t *LiveTable) Update(rows func() [][]any) {
	if gonbui.IsNotebook && time.Since(t.shown) >= time.Second {
		gonbui.UpdateMarkdown(t.id, say.MarkdownTable(tableText(t.head, rows())))
		t.shown = time.Now()
	}
}

// Done shows the last rows.
func (t *LiveTable) Done(rows [][]any) {
	lines := tableText(t.head, rows)
	if !gonbui.IsNotebook {
		fmt.Print(say.Aligned(lines, nil))
		return
	}
	gonbui.UpdateMarkdown(t.id, say.MarkdownTable(lines))
	flush()
}

// NewBar starts a bar, one output that changes, for a job of total parts (0: not known). The unit names a part, such as
// "steps"; "bytes" gives MB and MB/s. The label says what the job is. Outside of a notebook the bar is on standard error.
func NewBar(total int64, label, unit string) *progress.Bar {
	if !gonbui.IsNotebook {
		return progress.New(total, label, unit)
	}
	return progress.NewOn(cellScreen{"bar-" + gonbui.UniqueId()}, total, label, unit)
}

// cellScreen is the screen of a bar that is one output of a notebook's cell.
type cellScreen struct{ id string }

func (cellScreen) Due(_ progress.State, sinceDrawn time.Duration) bool {
	return sinceDrawn >= 200*time.Millisecond
}

func (c cellScreen) Draw(s progress.State) {
	value := "" // without a value the bar moves to and fro
	if fraction, ok := s.Fraction(); ok {
		value = fmt.Sprintf(` value="%.4f"`, fraction)
	}
	bar := fmt.Sprintf(`<progress%s style="width: 16em; %s"></progress>`, value, accentStyle)
	gonbui.UpdateHTML(c.id, fmt.Sprintf("<div>%s %s %s</div>",
		html.EscapeString(s.Label), bar, html.EscapeString(strings.Join(s.Parts(), " · "))))
}

func (cellScreen) Note(string) {}

func (c cellScreen) End(s progress.State) {
	if !HasReader() {
		s.Elapsed = 0 // so that the time does not change a notebook that is committed
	}
	gonbui.UpdateHTML(c.id, "<div>"+html.EscapeString(s.Result())+"</div>")
	flush()
}
