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
	bar, curve := NewBar(0, filepath.Base(dir), "epochs"), NewLive()
	rows, until := 0, time.Now().Add(patience)
	for {
		run, err := runs.Open(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && time.Now().Before(until):
			bar.Set(0, "waiting for its folder")
		case errors.Is(err, fs.ErrNotExist):
			bar.Done("not there")
			return nil, fmt.Errorf("there is no run %s: start its training first", filepath.Base(dir))
		case err != nil:
			return nil, err
		default:
			draw := func() (*figures.Figure, error) { return figures.LiveCurve(append([]*runs.Run{run}, compared...)...) }
			bar.SetTotal(int64(run.Recipe.Epochs))
			bar.Set(epochs(run), state(run))
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

// epochs is how many whole epochs of a run are done.
func epochs(run *runs.Run) int64 {
	if len(run.Rows) == 0 {
		return 0
	}
	return int64(run.Rows[len(run.Rows)-1].Epoch)
}

// state puts where a run is into a few words.
func state(run *runs.Run) string {
	if len(run.Rows) == 0 {
		return "no epoch yet"
	}
	last := run.Rows[len(run.Rows)-1]
	if math.IsNaN(last.TestError) {
		return fmt.Sprintf("training loss %.3f, validation error %.1f %%", last.TrainLoss, last.ValidationError)
	}
	return fmt.Sprintf("training loss %.3f, test error %.1f %%", last.TrainLoss, last.TestError)
}
