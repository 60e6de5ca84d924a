// Package watch trains and shows it: in a notebook's cell with a progress bar and a
// growing curve, elsewhere with the bar alone. It is separate from package notebook
// so that cells which only look at results need not link GoMLX.
package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/internal/stopping"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/notebook"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Train makes the run in the folder dir, or continues it if it is there already, and
// shows its progress, with a button that stops it. The curves of other runs, named by
// their folders, are drawn for comparison. When ctx ends or the button is pressed, the
// run is saved and the error is [Stopped]; in a notebook with a reader the cell ends
// there, with a sentence. The next call continues the run.
func Train(ctx context.Context, dir string, recipe recipes.Recipe, others ...string) (*runs.Run, error) {
	return TrainPart(ctx, dir, recipe, 1, others...)
}

// TrainPart is Train, but it stops by itself when a part, in (0, 1], of the run's steps
// is done. The error is then [Stopped] too, but the cell goes on.
func TrainPart(ctx context.Context, dir string, recipe recipes.Recipe, part float64, others ...string) (*runs.Run, error) {
	compared, err := runs.OpenAll(others...)
	if err != nil {
		return nil, err
	}
	if run, err := runs.Open(dir); err == nil {
		if err := run.Refuse(recipe); err != nil {
			return nil, fmt.Errorf("%w (watch.Try names a run by its settings, so that each change makes a new one)", err)
		}
	}
	return train(ctx, training.Options{Dir: dir, Recipe: recipe}, part, filepath.Base(dir), func() []*runs.Run {
		run, err := runs.Open(dir)
		if err != nil {
			return nil
		}
		return append([]*runs.Run{run}, compared...)
	})
}

// train is TrainPart with a label for the bar, and with the runs that are drawn: the one that is trained first, or none while
// there is nothing to draw.
func train(ctx context.Context, o training.Options, part float64, label string, drawn func() []*runs.Run) (*runs.Run, error) {
	s := &session{part: part, bar: notebook.NewBar(0, label, "steps"), curve: notebook.NewLive()}
	s.draw = func() (*figures.Figure, error) { return figures.LiveCurve(drawn()...) }
	s.bar.Set(0, "compiling ...") // at once: loading the plugin, the data and compiling take a while
	run, err := s.train(ctx, o)
	if err != nil {
		return nil, err
	}
	text := run.Outcome()
	if !s.stepped.Load() {
		s.bar.Set(run.Result.Steps, "")
		if os.Getenv(notebook.EnvHeadless) == "" {
			text += fmt.Sprintf(" (trained before: delete the folder %s to train it again)", shown(o.Dir))
		}
	}
	s.bar.Done(text)
	return run, s.curve.Done(s.draw)
}

// session is a training that is shown.
type session struct {
	part    float64 // of the run's steps, at which it stops
	bar     *progress.Bar
	curve   *notebook.Live
	draw    func() (*figures.Figure, error) // the curve
	stepped atomic.Bool                     // at least one step was made
}

// train trains until the end, or until the part is done, or until the reader stops it, which ends the cell.
func (s *session) train(ctx context.Context, o training.Options) (*runs.Run, error) {
	b, err := backend.Open()
	if err != nil {
		s.bar.Done("not begun")
		return nil, err
	}
	defer b.Finalize()
	withButton, removeButton := notebook.StopButton(ctx, "Stop and save")
	defer removeButton()
	stopping, stop := context.WithCancel(withButton)
	defer stop()
	o.OnProgress = func(p training.Progress) {
		if p.Phase != "compiling" {
			s.stepped.Store(true)
		}
		p.Show(s.bar)
		if p.Step < p.Steps && float64(p.Step) >= s.part*float64(p.Steps) {
			stop()
		}
		if p.Row != nil {
			s.curve.Update(s.draw)
		}
	}
	var run *runs.Run
	done := make(chan struct{})
	go func() {
		defer close(done)
		run, err = training.Train(stopping, b, o)
	}()
	endCell := func(state string) { // the reader stopped it, so this is no failure
		removeButton()
		s.bar.Done(fmt.Sprintf("%s: run this cell again to go on, or delete the folder %s to begin anew", state, shown(o.Dir)))
		notebook.EndCell()
	}
	select {
	case <-done:
	case <-s.giveUp(ctx, withButton):
		state := "stopped while compiling"
		if s.stepped.Load() {
			state = "interrupted before it could be saved, the last checkpoint is kept"
		}
		endCell(state)
	}
	switch {
	case errors.Is(err, training.ErrStopped) && run != nil && run.Result != nil:
		if withButton.Err() != nil && notebook.HasReader() {
			endCell("stopped and saved")
		}
		s.bar.Done("stopped and saved")
		return nil, &Stopped{Dir: o.Dir, Step: run.Result.Steps}
	case err != nil:
		s.bar.Done("not finished")
		return nil, err
	}
	return run, nil
}

// killGrace is a little less than the time that GoNB gives an interrupted cell.
const killGrace = 4 * time.Second

// giveUp returns a channel that is closed when a reader has stopped the training and should not wait any longer until it is
// saved: at once if no step was made, because XLA cannot be interrupted, otherwise just before GoNB kills an interrupted
// cell. ctx is the cell's context; withButton ends with the button too. Without a reader the channel is never closed.
func (s *session) giveUp(ctx, withButton context.Context) <-chan struct{} {
	late := make(chan struct{})
	if notebook.HasReader() {
		context.AfterFunc(withButton, func() {
			if !s.stepped.Load() {
				close(late)
				return
			}
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), stopping.ErrOrphaned) { // an orphaned cell is not killed
				time.Sleep(killGrace)
				close(late)
			}
		})
	}
	return late
}

// Stopped is the error of a training that was stopped and saved.
type Stopped struct {
	Dir  string // the run folder
	Step int64  // of the checkpoint
}

func (s *Stopped) Error() string {
	return fmt.Sprintf("%s is stopped and saved at step %d: run this cell again to go on, or delete its folder to begin anew",
		filepath.Base(s.Dir), s.Step)
}

// shown is the path of a run folder as a reader looks for it: from the project's folder on, if it is there.
func shown(dir string) string {
	if root, err := project.Root(); err == nil {
		if path, err := filepath.Rel(root, dir); err == nil && filepath.IsLocal(path) {
			return path
		}
	}
	return dir
}

// Unwrap makes it a [training.ErrStopped].
func (s *Stopped) Unwrap() error { return training.ErrStopped }

// TrainAnew is Train, but it first deletes an earlier run in the folder instead of continuing it. Use it where a recipe
// does not show a change, such as an edited block of your own.
func TrainAnew(ctx context.Context, dir string, recipe recipes.Recipe, others ...string) (*runs.Run, error) {
	if err := runs.Remove(dir); err != nil {
		return nil, err
	}
	return Train(ctx, dir, recipe, others...)
}
