package training

import (
	"time"

	"stochdepth/toolkit/network"
)

// pipeline keeps the device at work: it starts a step before it waits for the one before.
type pipeline struct {
	model     *network.Model
	done      func(network.Outcome) error // is called for each step that was waited for, in their order
	compiling func()                      // is called before a step is compiled

	pending        func() (network.Outcome, error) // waits for the step that is under way; nil if none is
	compiled       map[int]bool                    // for minibatches of so many images
	clock          time.Time                       // up to where time is counted
	compileSeconds float64
}

// start starts the step on a minibatch, and waits for the one before. The first one on so many images is compiled, while
// nothing else is under way.
func (p *pipeline) start(batch *network.Batch) error {
	images := len(batch.Labels)
	if !p.compiled[images] {
		if err := p.finish(); err != nil {
			return err
		}
		p.compiling()
	}
	next, err := p.model.Step(batch)
	if err != nil {
		return err
	}
	if !p.compiled[images] {
		p.compiled[images] = true
		p.compileSeconds += p.lap()
	}
	err = p.finish()
	p.pending = next
	return err
}

// finish waits for the step that is under way.
func (p *pipeline) finish() error {
	if p.pending == nil {
		return nil
	}
	outcome, err := p.pending()
	p.pending = nil
	if err != nil {
		return err
	}
	return p.done(outcome)
}

// lap returns the seconds since it was last called, or since the clock was set.
func (p *pipeline) lap() float64 {
	now := time.Now()
	seconds := now.Sub(p.clock).Seconds()
	p.clock = now
	return seconds
}
