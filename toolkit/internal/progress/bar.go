// Package progress shows how far a long job is: on a terminal, in a log, or on another [Screen] such as a notebook's cell.
package progress

import (
	"sync"
	"time"
)

// Bar shows how far a long job is, how fast it goes and how long it will take:
// in a notebook as one output that changes, on a terminal as one line that
// changes, and in a log as a new line now and then. Its methods may be called
// at any rate, from several goroutines.
//
// Other libraries of progress bars know terminals only, and GoMLX's leaves hundreds
// of outputs in a notebook that is executed without a browser.
type Bar struct {
	mu     sync.Mutex
	state  State
	screen Screen
	now    func() time.Time
	shown  time.Time // when the screen was last drawn; zero: never
	ended  bool

	took time.Duration // as set by Took, for a job that began before the bar; 0: the job began with the bar

	estimated bool // the job itself reports its speed

	// Otherwise the speed is measured over about the last half minute, and not before the first part is done: a resumed
	// run has a part of the way behind it, and the first part may have waited for a compilation.
	started time.Time
	first   int64 // the count of the first report
	begun   bool  // there was a report
	marks   []mark
}

// mark is a count and its time.
type mark struct {
	at    time.Time
	count int64
}

// speedWindow is how far back the speed looks, in marks at least a second apart.
const speedWindow = 30

// New starts a bar on standard error for a job of total parts (0: not known). The unit names a part,
// such as "steps"; "bytes" gives MB and MB/s. The label says what the job is.
func New(total int64, label, unit string) *Bar { return NewOn(standardError(), total, label, unit) }

// NewOn is [New] on another screen.
func NewOn(s Screen, total int64, label, unit string) *Bar {
	return newBar(total, label, unit, s, time.Now)
}

func newBar(total int64, label, unit string, s Screen, now func() time.Time) *Bar {
	return &Bar{state: State{Label: label, unit: unit, total: total}, screen: s, now: now, started: now()}
}

// Set reports how many of the parts are done, with a few words about the
// state, such as "epoch 3, loss 0.41".
func (b *Bar) Set(done int64, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	now := b.now()
	b.measure(now, done)
	b.state.done, b.state.text = done, text
	if b.shown.IsZero() || b.screen.Due(b.state, now.Sub(b.shown)) {
		b.screen.Draw(b.state)
		b.shown = now
	}
}

// Note writes a line that stays, such as the result of an epoch: above the bar on a terminal, among the
// other lines in a log. A notebook does not show it: a curve is better there.
func (b *Bar) Note(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.screen.Note(line)
	b.shown = time.Time{} // draw again with the next report
}

// SetTotal changes the number of parts, for jobs that learn it on the way.
func (b *Bar) SetTotal(total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.total = total
}

// Estimate sets the speed (parts a second) and the time remaining, for a job that knows
// them better than the bar can measure them, because evaluations are still to come, for
// example. Zero means not known. They are shown with the next [Bar.Set].
func (b *Bar) Estimate(speed float64, remaining time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.estimated, b.state.speed, b.state.remaining = true, speed, remaining
}

// Jobs sets the smaller jobs that are at work, and the share of the whole that is done, in 0..1, where this is more precise
// than the count of finished parts. They are shown with the next [Bar.Set].
func (b *Bar) Jobs(share float64, jobs ...Job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.share, b.state.jobs = &share, jobs
}

// Took sets how long the job has taken, if it began before the bar, in another process.
func (b *Bar) Took(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.took = d
}

// Done ends the bar with the outcome of the job, or the state in which it stopped.
func (b *Bar) Done(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.ended = true
	b.state.text, b.state.Elapsed = text, b.now().Sub(b.started)
	if b.took > 0 {
		b.state.Elapsed = b.took
	}
	b.screen.End(b.state)
}

// measure updates the speed, the time remaining and the time passed.
func (b *Bar) measure(now time.Time, done int64) {
	b.state.Elapsed = now.Sub(b.started)
	if b.estimated {
		return
	}
	if len(b.marks) == 0 {
		if b.begun && done > b.first {
			b.marks = append(b.marks, mark{now, done})
		} else if !b.begun {
			b.begun, b.first = true, done
		}
		return
	}
	first := b.marks[0]
	if passed := now.Sub(first.at).Seconds(); passed > 0 {
		b.state.speed = float64(done-first.count) / passed
	}
	b.state.remaining = 0
	if rest := b.state.total - done; rest > 0 && b.state.speed > 0 {
		b.state.remaining = time.Duration(float64(rest) / b.state.speed * float64(time.Second))
	}
	if now.Sub(b.marks[len(b.marks)-1].at) >= time.Second {
		b.marks = append(b.marks, mark{now, done})
		if len(b.marks) > speedWindow {
			b.marks = b.marks[1:]
		}
	}
}
