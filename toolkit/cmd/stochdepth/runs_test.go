package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
)

// recorded makes finished runs of one epoch, named as the keys, with the given test errors.
func recorded(t *testing.T, folder string, testErrors map[string]float64) {
	t.Helper()
	for name, e := range testErrors {
		recipe, err := runs.Preset("quickstart")
		require.NoError(t, err)
		recipe.Epochs = 1
		if strings.HasPrefix(name, "constant") {
			recipe.DeathRate = 0
		}
		recipe.Seed = int64(name[len(name)-1] - '0')
		w, err := runs.Create(filepath.Join(folder, name), recipe)
		require.NoError(t, err)
		require.NoError(t, w.Append(runs.Row{Epoch: 1, Step: 10, TrainLoss: 1, ValidationError: e, TestError: e, OpenBlocksMean: 9, Seconds: 75}))
		require.NoError(t, w.WriteResult(runs.Result{Completed: true, Status: "finished", Epochs: 1, Steps: 10}))
		require.NoError(t, w.Close())
	}
}

// The commands that look at recorded runs, end to end.
func TestLookingAtRuns(t *testing.T) {
	folder := t.TempDir()
	recorded(t, folder, map[string]float64{"constant-1": 30, "constant-2": 31, "linear-1": 28, "linear-2": 29.5})
	ok := func(args ...string) string {
		out, err := call(t, append(args, "--runs", folder)...)
		require.NoError(t, err)
		return out
	}
	require.Regexp(t, `(?s)^name.*time  status\nconstant-2 .* 1 min 15 s  finished\nconstant-1 .* finished\n$`,
		ok("runs", "--filter", "constant*", "--sort", "test-error", "--reverse"))
	require.Regexp(t, `^name,dataset,.*\nlinear-1,shapes,.*,28,.*,finished\n$`, ok("runs", "--where", "seed=1", "--where", "death_rate=0.3", "--format", "csv"))

	out := ok("compare", "constant-*", "linear-*")
	require.Regexp(t, `(?m)^death_rate +0 +0.3$`, out)
	require.Contains(t, out, "Test error of linear-*: -1.75 [-4.93, +1.43] points")
	out = ok("compare", "constant-1", filepath.Join(folder, "linear-2"))
	require.Regexp(t, `(?m)^seed +1 +2$`, out)
	_, err := call(t, "compare", "constant-1", "nobody-*", "--runs", folder)
	require.EqualError(t, err, "no run is named nobody-* or matches it: `stochdepth runs` lists the runs")

	logs := filepath.Join(t.TempDir(), "logs")
	out = ok("export", "linear-*", "constant-1", "--tensorboard", logs)
	require.Equal(t, 3, strings.Count(out, "\n"))
	for _, path := range strings.Fields(out) {
		require.FileExists(t, path)
	}
	ok("watch", "linear-1") // has ended
}

func TestSummaryCommand(t *testing.T) {
	out, err := call(t, "summary", "--recipe", "cifar10", "--depth", "20")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^  in all +9 +6.50 +269,722 +40,551,040$`, out)
}
