package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"time"

	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/say"
)

// lookEvery is how often Follow looks at a run.
const lookEvery = time.Second

// Follow shows on a bar of epochs how far a run is that another process trains, as its folder says. It waits up to
// patience for the folder to appear, calls grown when there are new rows, and returns when the run has ended, when no
// process trains it, or when ctx ends.
func Follow(ctx context.Context, dir string, patience time.Duration, bar *progress.Bar, grown func(*Run)) (*Run, error) {
	rows, until := 0, time.Now().Add(patience)
	noted := -1          // rows already noted; of the rows there at the start only the newest gets a line
	var newest time.Time // when the newest row was seen
	for {
		run, err := Open(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && time.Now().Before(until):
			bar.Set(0, "waiting for its folder")
		case errors.Is(err, fs.ErrNotExist):
			if patience > 0 { // the bar said that it waits
				bar.Done("not there")
			}
			name := filepath.Base(dir)
			return nil, cmp.Or(holdsRuns(dir, name), fmt.Errorf("there is no run %s: start its training first", name))
		case err != nil:
			return nil, err
		default:
			if noted < 0 {
				noted = max(0, len(run.Rows)-1)
			}
			for ; noted < len(run.Rows); noted++ {
				newest = time.Now()
				bar.Note(run.Rows[noted].Text())
			}
			p := paceOf(run)
			bar.SetTotal(int64(run.Recipe.Epochs))
			bar.Estimate(0, max(0, p.remaining-time.Since(newest)))
			bar.Took(p.took)
			bar.Set(int64(run.EpochsDone()), p.text()+state(run))
			if status := run.Status(); status != "running" && (len(run.Rows) > 0 || time.Now().After(until)) {
				bar.Done(status + ", " + state(run))
				return run, nil
			}
			if len(run.Rows) > rows {
				rows = len(run.Rows)
				grown(run)
			}
		}
		select {
		case <-ctx.Done():
			bar.Done("no longer followed; its training goes on")
			return run, nil
		case <-time.After(lookEvery):
		}
	}
}

// pace is how far and how fast a run is, from its log.
type pace struct {
	step, steps     int64   // done, and estimated for the whole run; 0: unknown
	speed           float64 // steps a second over the newest rows, evaluations left out
	remaining, took time.Duration
}

// paceRows is the number of newest rows over which the speed is measured.
const paceRows = 5

func paceOf(run *Run) (p pace) {
	n := len(run.Rows)
	if n == 0 || run.Rows[n-1].Epoch <= 0 {
		return p
	}
	last, before := run.Rows[n-1], Row{}
	if n > paceRows {
		before = run.Rows[n-1-paceRows]
	}
	p.step, p.steps = last.Step, int64(math.Round(float64(last.Step)/last.Epoch*float64(run.Recipe.Epochs)))
	p.took = time.Duration(last.Seconds * float64(time.Second))
	if seconds := last.Seconds - before.Seconds; seconds > 0 {
		p.speed = float64(last.Step-before.Step) / seconds
		p.remaining = time.Duration(float64(p.steps-p.step) / p.speed * float64(time.Second))
	}
	return p
}

// text says where the run is, to be followed by its state.
func (p pace) text() string {
	if p.steps == 0 {
		return ""
	}
	text := fmt.Sprintf("step %s of %s, ", say.Grouped(p.step), say.Grouped(p.steps))
	if p.speed > 0 {
		text += fmt.Sprintf("%.3g steps/s, ", p.speed)
	}
	return text
}

// state describes the newest row in a few words.
func state(run *Run) string {
	switch {
	case len(run.Rows) == 0 && run.Finished(): // recorded without its log
		return run.Outcome()
	case len(run.Rows) == 0:
		return "no epoch yet"
	}
	last := run.Rows[len(run.Rows)-1]
	if math.IsNaN(last.TestError) {
		return fmt.Sprintf("training loss %.3f, validation error %.1f %%", last.TrainLoss, last.ValidationError)
	}
	return fmt.Sprintf("training loss %.3f, test error %.1f %%", last.TrainLoss, last.TestError)
}
