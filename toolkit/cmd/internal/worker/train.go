// Package worker does the work of the processes that a sweep starts: [Train] makes a run, [Probe] measures a few steps of
// one. It is separate from package sweep, which does not link GoMLX; the commands `sweep worker`, `sweep task` and `sweep
// probe` call it.
package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"time"

	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/sweep"
)

// compilePatience is how long a process continues to compile after a request to stop that came before the first step.
const compilePatience = 3 * time.Second

// Train returns a function that makes the run of an order, for [sweep.Work] and [sweep.Task]. A positive maxTime stops it
// cleanly at a checkpoint after that time. When the context ends before the first step, the process itself ends a moment
// later, with the status [sweep.ExitStopped]: nothing is lost, and a compilation cannot be interrupted.
func Train(maxTime time.Duration) sweep.Trainer {
	return func(ctx context.Context, o sweep.Order, report func(sweep.Report)) sweep.Report {
		b, err := backend.Open()
		if err != nil {
			return sweep.Report{End: sweep.Error, Message: err.Error()}
		}
		var trained atomic.Bool
		defer context.AfterFunc(ctx, func() {
			time.Sleep(compilePatience)
			if !trained.Load() {
				os.Exit(sweep.ExitStopped)
			}
		})()
		run, err := training.Train(ctx, b, training.Options{Dir: o.Dir, Recipe: o.Recipe, DataRoot: o.DataRoot, MaxTime: maxTime,
			OnProgress: func(p training.Progress) {
				if p.Phase == "training" {
					trained.Store(true)
				}
				report(reportOf(p))
			}})
		return endOf(run, err)
	}
}

// reportOf tells the sweep how far a run has come.
func reportOf(p training.Progress) sweep.Report {
	text := p.Phase
	if p.Phase == "training" && !math.IsNaN(p.Loss) { // it is NaN before the first step
		text = fmt.Sprintf("epoch %d of %d, loss %.3f, error %.1f %%", p.Epoch, p.Epochs, p.Loss, p.Error)
	}
	return sweep.Report{Phase: p.Phase, Step: p.Step, Steps: p.Steps, Text: text, Remaining: p.Remaining}
}

// endOf tells the sweep how training ended.
func endOf(run *runs.Run, err error) sweep.Report {
	var locked runs.ErrLocked
	switch {
	case err == nil:
		return sweep.Report{End: sweep.Finished, Message: run.Outcome()}
	case errors.Is(err, training.ErrStopped):
		return sweep.Report{End: sweep.Interrupt, Message: err.Error()}
	case errors.As(err, &locked):
		return sweep.Report{End: sweep.Elsewhere, Message: err.Error()}
	}
	return sweep.Report{End: sweep.Error, Message: err.Error()}
}
