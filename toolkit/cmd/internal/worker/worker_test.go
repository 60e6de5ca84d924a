package worker_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/cmd/internal/worker"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
	"stochdepth/toolkit/runs/sweep"
)

// order returns the order of a run with 8 layers: two epochs of three steps.
func order(t *testing.T) sweep.Order {
	t.Helper()
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	r, err := recipes.Preset("shapes")
	require.NoError(t, err)
	r.Depth, r.DeathRate, r.Epochs, r.BatchSize = 8, 0.5, 2, 16
	r.TrainImages, r.ValidationImages, r.TestImages = 40, 20, 30
	return sweep.Order{Name: "mine", Dir: filepath.Join(t.TempDir(), "mine"), Recipe: r}
}

// A worker reports how far the run has come and how it ended: stopped, in the hands of another process, finished.
func TestTrain(t *testing.T) {
	o := order(t)
	ctx, stop := context.WithCancel(t.Context())
	var last sweep.Report
	end := worker.Train(0)(ctx, o, func(r sweep.Report) {
		last = r
		if r.Step == 2 {
			stop()
		}
	})
	require.Equal(t, sweep.Interrupt, end.End, end.Message)
	require.Contains(t, end.Message, "start the same command again to go on")
	require.Equal(t, "training", last.Phase)
	require.EqualValues(t, 6, last.Steps)
	require.Regexp(t, `^epoch 1 of 2, loss \d\.\d{3}, error \d+\.\d %$`, last.Text)

	train := func() sweep.Report { return worker.Train(0)(t.Context(), o, func(sweep.Report) {}) }
	other, err := runs.Create(o.Dir, o.Recipe)
	require.NoError(t, err)
	require.Equal(t, sweep.Elsewhere, train().End)
	require.NoError(t, other.Close())

	end = train()
	require.Equal(t, sweep.Finished, end.End, end.Message)
	run, err := runs.Open(o.Dir)
	require.NoError(t, err)
	require.True(t, run.Finished())
	require.Equal(t, run.Outcome(), end.Message)

	o.Recipe.Dataset, o.DataRoot = "cifar10", t.TempDir()
	o.Dir += "-2"
	end = train()
	require.Equal(t, sweep.Error, end.End)
	require.Contains(t, end.Message, "cifar10")
}

// Probe measures the order's network, and writes nothing.
func TestProbe(t *testing.T) {
	o := order(t)
	p, err := worker.Probe(t.Context(), o)
	require.NoError(t, err)
	require.EqualValues(t, 3, p.StepsPerEpoch)
	for what, seconds := range map[string]float64{"start": p.StartSeconds, "compile": p.CompileSeconds, "closed": p.ClosedSeconds,
		"open": p.OpenSeconds, "evaluate": p.EvaluateSeconds, "test": p.TestSeconds} {
		require.Positive(t, seconds, what)
		require.Less(t, seconds, 600., what)
	}
	require.InEpsilon(t, 1.5, p.TestSeconds/p.EvaluateSeconds, 1e-9, "by their images")
	require.NoDirExists(t, o.Dir)
}
