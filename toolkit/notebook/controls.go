package notebook

import (
	"context"
	"fmt"
	"html"
	"slices"
	"strconv"
	"sync"
	"time"

	"stochdepth/toolkit/figures"
)

// Control is a slider, a drop-down list or a check box of [Interact].
type Control struct {
	label           string
	low, high, step float64  // of a slider
	choices         []string // of a drop-down list, and of a check box: true and false
	box             bool     // it is a check box
	mu              sync.Mutex
	value           string
}

// Slider is a control for a number from low to high, in steps of the given size, that starts at value.
func Slider(label string, low, high, step, value float64) *Control {
	return &Control{label: label, low: low, high: high, step: step, value: trimmed(value)}
}

// DropDown is a control for one of the choices, and starts at the first.
func DropDown(label string, choices ...string) *Control {
	return &Control{label: label, choices: choices, value: choices[0]}
}

// CheckBox is a control that is on or off.
func CheckBox(label string, on bool) *Control {
	return &Control{label: label, choices: []string{"true", "false"}, box: true, value: strconv.FormatBool(on)}
}

// On reports whether a check box is on.
func (c *Control) On() bool { return c.Text() == "true" }

// Text is the chosen value as text.
func (c *Control) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value
}

// Number is the chosen value as a number, or 0 if it is not a number.
func (c *Control) Number() float64 {
	v, _ := strconv.ParseFloat(c.Text(), 64)
	return v
}

// set takes a value if the control offers it.
func (c *Control) set(value string) {
	v, err := strconv.ParseFloat(value, 64)
	if c.choices == nil && (err != nil || v < c.low || v > c.high) || c.choices != nil && !slices.Contains(c.choices, value) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value = value
}

// html is the control as an element of a form; name is its name in messages.
func (c *Control) html(name string) string {
	label := html.EscapeString(c.label)
	if c.box {
		checked := ""
		if c.On() {
			checked = " checked"
		}
		return fmt.Sprintf(`<label><input type="checkbox" data-control="%s"%s> %s</label>`, name, checked, label)
	}
	if c.choices != nil {
		options := ""
		for _, choice := range c.choices {
			options += "<option>" + html.EscapeString(choice) + "</option>"
		}
		return fmt.Sprintf(`<label>%s <select data-control="%s">%s</select></label>`, label, name, options)
	}
	return fmt.Sprintf(`<label>%s <input type="range" data-control="%s" min="%s" max="%s" step="%s" value="%s" `+
		`style="vertical-align: middle"> <output>%s</output></label>`,
		label, name, trimmed(c.low), trimmed(c.high), trimmed(c.step), c.value, c.value)
}

// button is a button as an element of a form.
func button(name, label string) string {
	return fmt.Sprintf(`<button data-control="%s">%s</button>`, name, html.EscapeString(label))
}

func trimmed(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// How long [Interact] waits for the first movement and for each later one: Run All must get to the next cell.
const (
	firstPatience   = time.Minute
	furtherPatience = 5 * time.Minute
)

// Interact shows the figure that draw makes from the values of the controls, and redraws it whenever one of them is moved.
// It ends with the button Done, when the cell is interrupted, when the page is closed or reloaded, or when nothing was
// moved for a while; the last figure stays. Where nobody can move anything (a notebook that is executed headless, a
// terminal) it shows the figure once.
func Interact(draw func() (*figures.Figure, error), controls ...*Control) error {
	picture := NewLive()
	if !HasReader() {
		return picture.Done(draw)
	}
	ctx := Context() // before the controls are shown, so that an interrupted cell always removes them
	var elements []string
	for i, c := range controls {
		elements = append(elements, c.html(strconv.Itoa(i)))
	}
	panel := newPanel(append(elements, button("done", "Done"))...)
	defer panel.close("")
	if err := picture.Done(draw); err != nil {
		return err
	}
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
		case <-panel.gone:
			return nil
		case <-time.After(patience):
			return nil
		}
	}
}

// StopButton shows a button that ends the returned context, as interrupting the cell does. The button disappears when the
// context ends; remove ends the context. A page that is closed or reloaded loses the button, and the context goes on.
func StopButton(ctx context.Context, label string) (_ context.Context, remove func()) {
	ctx, cancel := context.WithCancel(ctx)
	if !HasReader() {
		return ctx, cancel
	}
	panel := newPanel(button("stop", label))
	taken := make(chan struct{})
	go func() {
		defer close(taken)
		for {
			select {
			case m := <-panel.messages:
				if m.control == "stop" {
					cancel()
				}
			case <-ctx.Done():
				panel.close("<div>stopping ...</div>") // at once: the cell may be killed before it can remove the button
				return
			case <-panel.gone:
				panel.close("")
				return
			}
		}
	}()
	return ctx, func() {
		cancel()
		<-taken
		panel.replace("")
	}
}
