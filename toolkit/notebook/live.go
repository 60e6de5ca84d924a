package notebook

import (
	"fmt"
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"stochdepth/toolkit/figures"
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
		gonbui.UpdateMarkdown(t.id, markdownTable(tableText(t.head, rows())))
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
	gonbui.UpdateMarkdown(t.id, markdownTable(lines))
	flush()
}
