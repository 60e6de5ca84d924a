package notebook

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/comms"
	"github.com/janpfeifer/gonb/gonbui/dom"
)

// EnvHeadless names the environment variable that says that there is no reader: the notebook is executed to be read
// later. Then sliders and buttons are left out.
const EnvHeadless = "STOCHDEPTH_HEADLESS"

// HasReader reports whether there may be somebody who can move a slider or press a button: in a notebook that is executed
// neither headless nor as a trial.
func HasReader() bool { return gonbui.IsNotebook && os.Getenv(EnvHeadless) == "" && !Tiny() }

// panel is a row of controls in the cell's output. The program in the page sends a beat every two seconds, and the cell's
// process answers it. Without beats the page is gone, and without answers the process is; in both cases the controls are
// removed, so that there is never one that does nothing. (Jupyter does not tell a kernel that a page was closed.) The
// controls are hidden until the first answer, so that a saved notebook shows none.
//
// A message is "number control value". The messages of a control are numbered, because GoNB may change their order.
type panel struct {
	id       string
	messages chan message
	gone     chan struct{} // closed when the page is gone
	closed   chan struct{}
	again    func() // asks the page once more to join
	answer   func() // tells the page that the process is there
	mu       sync.Mutex
	last     map[string]int // number of the newest message of a control
	heard    time.Time      // when the page last sent something, or was last asked to join
	joined   bool           // the page has sent something
}

type message struct{ control, value string }

// Colours of the reader's theme, light or dark. Without JupyterLab they are the page's own colours.
const (
	controlStyle = "font: inherit; padding: 0.1em 0.6em; border: 1px solid var(--jp-border-color1, currentColor); " +
		"border-radius: 2px; color: inherit; background: var(--jp-layout-color2, transparent)"
	accentStyle = "accent-color: var(--jp-brand-color1, auto)"
)

const (
	beatEvery = 2 * time.Second
	// pagePatience is how long a page may be silent: longer than a busy machine takes to deliver a beat. A browser may slow
	// a hidden page down to one beat a minute, but only after five minutes, when [Interact] has already ended.
	pagePatience = 10 * time.Second
)

// newPanel shows the elements. An element with the attribute data-control reports its value, or that it was pressed.
func newPanel(elements ...string) *panel {
	id := "panel-" + gonbui.UniqueId()
	address := "/stochdepth/" + id
	p := &panel{id: id, messages: make(chan message, 64), gone: make(chan struct{}), closed: make(chan struct{}),
		answer: func() { comms.Send(address+"/there", 1) }, last: map[string]int{}}
	join := func() {
		dom.TransientJavascript(fmt.Sprintf(pageProgram, id, address, pagePatience/beatEvery, beatEvery.Milliseconds()))
	}
	p.again = func() {
		comms.Start()
		join()
	}
	comms.Subscribe(address, func(_, text string) { p.receive(text) })
	gonbui.UpdateHTML(id, fmt.Sprintf(`<div id="%[1]s" style="display: none; flex-wrap: wrap; gap: 1.5em; align-items: center">
<style>#%[1]s button, #%[1]s select {%[2]s} #%[1]s input {%[3]s}</style>%[4]s</div>`,
		id, controlStyle, accentStyle, strings.Join(elements, " ")))
	join()
	p.heard = time.Now()
	go p.watch(beatEvery/2, pagePatience)
	return p
}

// pageProgram is the program of a panel in the page, in JavaScript.
const pageProgram = `(() => {
	const panel = document.getElementById(%q), address = %q;
	if (!panel || panel.dataset.joined) return;
	panel.dataset.joined = true;
	const numbers = {};
	let comm, unanswered = 0;
	const send = (number, control, value) => {
		if (!globalThis.gonb_comm) return;
		if (comm !== globalThis.gonb_comm) { // GoNB may replace it
			comm = globalThis.gonb_comm;
			comm.subscribe(address + "/there", () => { unanswered = 0; panel.style.display = "flex"; });
		}
		comm.send(address, number + " " + control + " " + value);
	};
	for (const element of panel.querySelectorAll("[data-control]")) {
		element.setAttribute("data-lm-suppress-shortcuts", "true"); // else JupyterLab takes the arrow keys
		element.addEventListener(element.tagName === "BUTTON" ? "click" : "input", () => {
			if (element.nextElementSibling?.tagName === "OUTPUT") element.nextElementSibling.value = element.value;
			if (element.tagName === "BUTTON") element.disabled = true;
			const control = element.dataset.control;
			numbers[control] = (numbers[control] ?? 0) + 1;
			send(numbers[control], control, element.type === "checkbox" ? element.checked : element.value);
		});
	}
	const beat = () => {
		if (++unanswered > %d) {
			clearInterval(timer);
			panel.remove();
			return;
		}
		send(0, "beat", 0);
	};
	const timer = setInterval(beat, %d);
	beat();
})();`

// watch closes gone when the page has been silent for too long. A page that has never sent anything is asked once more to
// join: on a busy machine GoNB may have given up on it too early.
func (p *panel) watch(every, patience time.Duration) {
	asked := false
	for {
		select {
		case <-p.closed:
			return
		case <-time.After(every):
		}
		p.mu.Lock()
		joined, silent := p.joined, time.Since(p.heard)
		p.mu.Unlock()
		switch {
		case silent > patience:
			close(p.gone)
			return
		case !joined && !asked && silent > patience/2:
			asked = true
			p.again()
			p.mu.Lock()
			p.heard = time.Now()
			p.mu.Unlock()
		}
	}
}

// receive takes a message, unless a newer one of the same control has arrived already.
func (p *panel) receive(text string) {
	fields := strings.SplitN(text, " ", 3)
	if len(fields) < 3 {
		return
	}
	number, err := strconv.Atoi(fields[0])
	if err != nil {
		return
	}
	control := fields[1]
	select {
	case <-p.closed: // without an answer the page removes the controls
		return
	default:
	}
	p.mu.Lock()
	p.heard, p.joined = time.Now(), true
	old := number <= p.last[control]
	if !old {
		p.last[control] = number
	}
	p.mu.Unlock()
	switch {
	case control == "beat":
		p.answer()
	case !old:
		select {
		case p.messages <- message{control, fields[2]}:
		default: // the program is far behind
		}
	}
}

// close removes the controls, and shows a text, or nothing, in their place.
func (p *panel) close(text string) {
	close(p.closed)
	p.replace(text)
}

// replace shows a text in the place of the controls.
func (p *panel) replace(text string) {
	gonbui.UpdateHTML(p.id, text)
	flush()
}
