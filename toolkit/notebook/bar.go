package notebook

import (
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"stochdepth/toolkit/internal/progress"
)

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
