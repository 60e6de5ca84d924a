package notebook

import (
	"context"
	"fmt"
	"html"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/comms"
	"github.com/janpfeifer/gonb/gonbui/dom"

	"stochdepth/toolkit/figures"
)

// EnvHeadless names the environment variable that says that no reader is there: the notebook is executed to be read
// later. Sliders and buttons are left out then.
const EnvHeadless = "STOCHDEPTH_HEADLESS"

// Control is a slider or a drop-down list of [Interact].
type Control struct {
	label           string
	low, high, step float64  // of a slider
	choices         []string // of a drop-down list
	mu              sync.Mutex
	value           string
}

// Slider is a control for a number in [low, high], in steps, that starts at value.
func Slider(label string, low, high, step, value float64) *Control {
	return &Control{label: label, low: low, high: high, step: step, value: trimmed(value)}
}

// DropDown is a control for one of the choices, the first to begin with.
func DropDown(label string, choices ...string) *Control {
	return &Control{label: label, choices: choices, value: choices[0]}
}

// Text is the chosen value as text.
func (c *Control) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value
}

// Number is the chosen value as a number, 0 if it is none.
func (c *Control) Number() float64 {
	v, _ := strconv.ParseFloat(c.Text(), 64)
	return v
}

// set takes a value if it is one that the control has.
func (c *Control) set(value string) {
	v, err := strconv.ParseFloat(value, 64)
	if c.choices == nil && (err != nil || v < c.low || v > c.high) || c.choices != nil && !slices.Contains(c.choices, value) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value = value
}

// html is the control as a form's element; name is what it is called in messages.
func (c *Control) html(name string) string {
	label := html.EscapeString(c.label)
	if c.choices != nil {
		options := ""
		for _, choice := range c.choices {
			options += "<option>" + html.EscapeString(choice) + "</option>"
		}
		return fmt.Sprintf(`<label>%s <select data-control="%s">%s</select></label>`, label, name, options)
	}
	return fmt.Sprintf(`<label>%s <input type="range" data-control="%s" min="%s" max="%s" step="%s" value="%s" style="vertical-align: middle"> <output>%s</output></label>`,
		label, name, trimmed(c.low), trimmed(c.high), trimmed(c.step), c.value, c.value)
}

func trimmed(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// How long [Interact] waits for a first and for a further movement: Run All must get to the next cell.
const (
	firstPatience   = time.Minute
	furtherPatience = 5 * time.Minute
)

// Interact shows the figure that draw makes of the controls, and draws it anew whenever one of them is moved. It ends
// with the button Done, with an interrupted cell, or when nothing was moved for a while; the last figure stays. Where
// nobody can move anything (a notebook that is executed headless, a terminal) it shows the figure once.
func Interact(draw func() (*figures.Figure, error), controls ...*Control) error {
	picture := NewLive()
	var panel *panel
	if hasReader() {
		var elements []string
		for i, c := range controls {
			elements = append(elements, c.html(strconv.Itoa(i)))
		}
		panel = newPanel(append(elements, `<button data-control="done">Done</button>`)...)
	}
	if err := picture.Done(draw); err != nil || panel == nil {
		return err
	}
	defer panel.close()
	ctx := Context()
	patience := firstPatience
	for {
		select {
		case m := <-panel.messages:
			if m.control == "done" {
				return nil
			}
			patience = furtherPatience
			for more := true; more; { // draw the newest state only
				if i, err := strconv.Atoi(m.control); err == nil && i < len(controls) {
					controls[i].set(m.value)
				}
				select {
				case m = <-panel.messages:
					if m.control == "done" {
						return picture.Done(draw)
					}
				default:
					more = false
				}
			}
			if err := picture.Done(draw); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		case <-time.After(patience):
			return nil
		}
	}
}

// StopButton shows a button that ends the returned context, as interrupting the cell does. remove takes it away.
func StopButton(ctx context.Context, label string) (_ context.Context, remove func()) {
	ctx, cancel := context.WithCancel(ctx)
	if !hasReader() {
		return ctx, cancel
	}
	panel := newPanel(fmt.Sprintf(`<button data-control="stop">%s</button>`, html.EscapeString(label)))
	gone := make(chan struct{})
	go func() {
		for {
			select {
			case m := <-panel.messages:
				if m.control == "stop" {
					cancel()
				}
			case <-gone:
				return
			}
		}
	}()
	return ctx, func() {
		close(gone)
		panel.close()
		cancel()
	}
}

// hasReader reports whether there may be somebody to move a slider.
func hasReader() bool { return gonbui.IsNotebook && os.Getenv(EnvHeadless) == "" && !Tiny() }

// panel is a row of controls in the cell's output. It talks to the program by one variable of GoNB's, "number control
// value": messages are numbered, as GoNB may deliver them in another order.
type panel struct {
	id       string
	messages chan message
	mu       sync.Mutex
	last     int
}

type message struct{ control, value string }

// newPanel shows the elements. Those with the attribute data-control report their value, or that they were pressed.
func newPanel(elements ...string) *panel {
	p := &panel{id: "panel-" + gonbui.UniqueId(), messages: make(chan message, 64)}
	address := "/stochdepth/" + p.id
	comms.Subscribe(address, func(_, text string) { p.receive(text) })
	gonbui.UpdateHTML(p.id, fmt.Sprintf(`<div id="%s" style="display: flex; flex-wrap: wrap; gap: 1.5em; align-items: center">%s</div>`,
		p.id, strings.Join(elements, " ")))
	dom.TransientJavascript(fmt.Sprintf(`(() => {
	const comm = globalThis?.gonb_comm, panel = document.getElementById(%q);
	if (!comm || !panel) return;
	const variable = comm.newSyncedVariable(%q, "0 ready 1");
	let number = 0;
	for (const element of panel.querySelectorAll("[data-control]")) {
		element.setAttribute("data-lm-suppress-shortcuts", "true"); // else JupyterLab takes the arrow keys
		element.addEventListener(element.tagName === "BUTTON" ? "click" : "input", () => {
			if (element.nextElementSibling?.tagName === "OUTPUT") element.nextElementSibling.value = element.value;
			if (element.tagName === "BUTTON") element.disabled = true;
			variable.set(++number + " " + element.dataset.control + " " + element.value);
		});
	}
})();`, p.id, address))
	return p
}

// receive takes a message, unless a newer one was there already.
func (p *panel) receive(text string) {
	fields := strings.SplitN(text, " ", 3)
	if len(fields) < 3 {
		return
	}
	number, err := strconv.Atoi(fields[0])
	p.mu.Lock()
	old := err != nil || number <= p.last
	if !old {
		p.last = number
	}
	p.mu.Unlock()
	if old {
		return
	}
	select {
	case p.messages <- message{fields[1], fields[2]}:
	default: // the program is far behind
	}
}

// close takes the controls away, so that a saved notebook has none that do nothing.
func (p *panel) close() {
	gonbui.UpdateHTML(p.id, "")
	flush()
}
