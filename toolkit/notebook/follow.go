package notebook

import (
	"context"
	"path/filepath"
	"time"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
)

// Follow shows the progress of a run that another process trains, read from its folder: a bar, and a growing curve. The
// curves of other runs, named by their folders, are drawn for comparison. It waits up to patience for the folder to
// appear, and returns when the run has ended, when no process trains it, or when ctx ends.
func Follow(ctx context.Context, dir string, patience time.Duration, others ...string) (*runs.Run, error) {
	compared, err := runs.OpenAll(others...)
	if err != nil {
		return nil, err
	}
	curve := NewLive()
	draw := func(run *runs.Run) func() (*figures.Figure, error) {
		return func() (*figures.Figure, error) { return figures.LiveCurve(append([]*runs.Run{run}, compared...)...) }
	}
	run, err := runs.Follow(ctx, dir, patience, NewBar(0, say.Shown(filepath.Base(dir)), "epochs"),
		func(run *runs.Run) { curve.Update(draw(run)) })
	if err != nil || ctx.Err() != nil {
		return run, err
	}
	return run, curve.Done(draw(run))
}
