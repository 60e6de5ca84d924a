package training

import (
	"time"

	"stochdepth/toolkit/network"
)

// pipeline keeps the device busy: it starts each step before it waits for the previous one.
type pipeline struct {
	model     *network.Model
	done      func(network.Outcome) error // is called after each step, in their order
	compiling func()                      // is called before a step is compiled

	pending        func() (network.Outcome, error) // waits for the running step; nil if there is none
	compiled       map[int]bool                    // by the number of images in the minibatch
	clock          time.Time                       // up to which time is counted
	compileSeconds float64
}

// start starts the step on a minibatch, then waits for the previous step. The first step for each size of minibatch is
// compiled, while no other step runs.
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

// finish waits for the running step.
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

// lap returns the seconds since its last call, or since the clock was set.
func (p *pipeline) lap() float64 {
	now := time.Now()
	seconds := now.Sub(p.clock).Seconds()
	p.clock = now
	return seconds
}
