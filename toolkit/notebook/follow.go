package notebook

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"time"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
)

// lookEvery is how often Follow looks at a run.
const lookEvery = time.Second

// Follow shows how a run goes that another process trains, from its folder: a bar, and a curve that grows. The curves
// of other runs, named by their folders, are drawn for comparison. It waits up to patience for the folder to appear,
// and returns when the run has ended, when no process trains it, or when ctx ends.
func Follow(ctx context.Context, dir string, patience time.Duration, others ...string) (*runs.Run, error) {
	var compared []*runs.Run
	for _, other := range others {
		run, err := runs.Open(other)
		if err != nil {
			return nil, err
		}
		compared = append(compared, run)
	}
	bar, curve := NewBar(0, say.Shown(filepath.Base(dir)), "epochs"), NewLive()
	rows, until := 0, time.Now().Add(patience)
	noted := -1         // rows that a line was written of, the newest of those that were there already among them
	var grown time.Time // when the newest row was seen
	for {
		run, err := runs.Open(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && time.Now().Before(until):
			bar.Set(0, "waiting for its folder")
		case errors.Is(err, fs.ErrNotExist):
			if patience > 0 { // it was waited for
				bar.Done("not there")
			}
			return nil, fmt.Errorf("there is no run %s: start its training first", filepath.Base(dir))
		case err != nil:
			return nil, err
		default:
			draw := func() (*figures.Figure, error) { return figures.LiveCurve(append([]*runs.Run{run}, compared...)...) }
			if noted < 0 {
				noted = max(0, len(run.Rows)-1)
			}
			for ; noted < len(run.Rows); noted++ {
				grown = time.Now()
				bar.Note(RowText(run.Rows[noted]))
			}
			p := paceOf(run)
			bar.SetTotal(int64(run.Recipe.Epochs))
			bar.Estimate(0, max(0, p.remaining-time.Since(grown)))
			bar.Took(p.took)
			bar.Set(int64(run.EpochsDone()), p.text()+state(run))
			if status := run.Status(); status != "running" && (len(run.Rows) > 0 || time.Now().After(until)) {
				bar.Done(status + ", " + state(run))
				return run, curve.Done(draw)
			}
			if len(run.Rows) > rows {
				rows = len(run.Rows)
				curve.Update(draw)
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
	step, steps     int64   // done, and of the whole run as far as it can be told; 0: not yet
	speed           float64 // steps a second over the newest rows, evaluations left out
	remaining, took time.Duration
}

// paceRows is over how many of the newest rows the speed is taken.
const paceRows = 5

func paceOf(run *runs.Run) (p pace) {
	n := len(run.Rows)
	if n == 0 || run.Rows[n-1].Epoch <= 0 {
		return p
	}
	last, before := run.Rows[n-1], runs.Row{}
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

// text is where the run is, to stand before its state.
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

// RowText is a row of a run's log as a line.
func RowText(r runs.Row) string {
	test := ""
	if !math.IsNaN(r.TestError) {
		test = fmt.Sprintf(", test %.2f %%", r.TestError)
	}
	return fmt.Sprintf("epoch %-4.4g loss %.4f  error: training %.2f %%, validation %.2f %%%s  open blocks %.2f  %s",
		r.Epoch, r.TrainLoss, r.TrainError, r.ValidationError, test, r.OpenBlocksMean, say.SpanOf(r.Seconds))
}

// state puts where a run is into a few words.
func state(run *runs.Run) string {
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
