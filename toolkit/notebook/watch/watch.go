// Package watch trains while one watches: in a notebook's cell with a progress bar
// and a curve that grows, elsewhere with the bar alone. It is apart from package
// notebook so that cells which only look at results need not link GoMLX.
package watch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"stochdepth/toolkit/backend"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/notebook"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/training"
)

// Train makes the run in the folder dir, or goes on with it if it is there
// already, and shows how it goes, with a button that stops it. The curves of other
// runs, named by their folders, are drawn for comparison. When ctx ends or the button
// is pressed the run is saved, the error is [Stopped], and the next call goes on.
func Train(ctx context.Context, dir string, recipe runs.Recipe, others ...string) (*runs.Run, error) {
	return TrainPart(ctx, dir, recipe, 1, others...)
}

// TrainPart is Train that stops by itself, as if interrupted, when a part of the run's
// steps is done, in (0, 1].
func TrainPart(ctx context.Context, dir string, recipe runs.Recipe, part float64, others ...string) (*runs.Run, error) {
	compared, err := open(others)
	if err != nil {
		return nil, err
	}
	curve := notebook.NewLive()
	draw := func() (*figures.Figure, error) {
		run, err := runs.Open(dir)
		if err != nil {
			return nil, err
		}
		return figures.LiveCurve(append([]*runs.Run{run}, compared...)...)
	}
	bar := notebook.NewBar(0, filepath.Base(dir), "steps")
	b, err := backend.Open()
	if err != nil {
		return nil, err
	}
	defer b.Finalize()
	ctx, removeButton := notebook.StopButton(ctx, "Stop and save")
	defer removeButton()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	report, trained := Progress(bar), false
	run, err := training.Train(ctx, b, training.Options{Dir: dir, Recipe: recipe, OnProgress: func(p training.Progress) {
		trained = true
		report(p)
		if p.Step < p.Steps && float64(p.Step) >= part*float64(p.Steps) {
			stop()
		}
		if p.Row != nil {
			curve.Update(draw)
		}
	}})
	if errors.Is(err, training.ErrStopped) && run != nil && run.Result != nil {
		bar.Done("stopped and saved")
		return nil, &Stopped{Dir: dir, Step: run.Result.Steps}
	}
	if err != nil {
		bar.Done("not finished")
		return nil, err
	}
	said := Result(run)
	if !trained {
		bar.Set(run.Result.Steps, "")
		if os.Getenv(notebook.EnvHeadless) == "" {
			said += " (trained before: delete its folder to train it again)"
		}
	}
	bar.Done(said)
	return run, curve.Done(draw)
}

// Stopped is the error of a training that was stopped and is saved.
type Stopped struct {
	Dir  string // the run folder
	Step int64  // of the checkpoint
}

func (s *Stopped) Error() string {
	return fmt.Sprintf("%s is stopped and saved at step %d: run this cell again to go on, or delete its folder to begin anew", filepath.Base(s.Dir), s.Step)
}

// Unwrap makes it a [training.ErrStopped].
func (s *Stopped) Unwrap() error { return training.ErrStopped }

func open(dirs []string) ([]*runs.Run, error) {
	list := make([]*runs.Run, len(dirs))
	for i, dir := range dirs {
		run, err := runs.Open(dir)
		if err != nil {
			return nil, err
		}
		list[i] = run
	}
	return list, nil
}

// Progress returns a function for [training.Options] that reports to the bar.
func Progress(bar *notebook.Bar) func(training.Progress) {
	return func(p training.Progress) {
		bar.SetTotal(p.Steps)
		bar.Estimate(p.StepsPerSecond, p.Remaining)
		bar.Set(p.Step, describe(p))
	}
}

// describe puts the state of a run into a few words.
func describe(p training.Progress) string {
	text := fmt.Sprintf("epoch %d of %d, %s", p.Epoch, p.Epochs, p.Phase)
	if !math.IsNaN(p.Loss) {
		text += fmt.Sprintf(", loss %.3f, error %.1f %%", p.Loss, p.Error)
	}
	if !math.IsNaN(p.Open) {
		text += fmt.Sprintf(", %.1f of %d blocks", p.Open, p.Blocks)
	}
	return text
}

// Result puts the outcome of a run into a few words.
func Result(run *runs.Run) string {
	best, ok := run.Best()
	if !ok {
		return "no evaluation yet"
	}
	if math.IsNaN(best.TestError) || math.IsInf(best.TestError, 0) {
		return fmt.Sprintf("no test error yet of the epoch of the lowest validation error, %g", best.Epoch)
	}
	return fmt.Sprintf("test error %.1f %% at the epoch of the lowest validation error, %g", best.TestError, best.Epoch)
}
