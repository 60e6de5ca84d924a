package notebook

import (
	"fmt"
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"stochdepth/toolkit/internal/say"
)

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
