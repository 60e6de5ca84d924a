package findrate

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
	"stochdepth/toolkit/runs/sweep"
)

// A search's folder has the sweep file of each round, which the commands of sweeps can make too; only the same search goes on in
// it.
func TestWork(t *testing.T) {
	root := t.TempDir()
	recipe, err := recipes.Preset("shapes")
	require.NoError(t, err)
	recipe.Epochs = 40
	w, err := Open(root, "find-rate-it", recipe, []float64{0.5, 1, 0.8})
	require.NoError(t, err)
	require.False(t, w.Timed())
	require.NoDirExists(t, filepath.Join(root, "find-rate-it"))
	probes := w.Probes()
	require.Len(t, probes.Jobs, 3)
	clock := NewClock(recipe, 45, 85, 35, 0.5) // 5 seconds to start, 1 for an epoch, 0.75 with p_L = 0.5
	require.InDelta(t, 5, clock.Start, 1e-9)
	require.InDelta(t, 45, clock.Seconds(recipe, 1, 40), 1e-9)
	require.InDelta(t, 35, clock.Seconds(recipe, 0.5, 40), 1e-9)
	require.InDelta(t, 41, clock.Seconds(recipe, 0.8, 40), 1e-9, "by the share of open blocks")
	require.NoError(t, w.SetClock(clock))

	again, err := Open(root, "find-rate-it", recipe, []float64{1, 0.8, 0.5})
	require.NoError(t, err)
	require.True(t, again.Timed())
	s, err := again.Add(Round{Epochs: 10, Survivals: []float64{1, 0.8}, Seed: 2})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "find-rate-it", "round-1.json"), s.Name)
	require.Equal(t, "find-rate-it/round-1/20-constant-s3", s.Jobs[0].Name)
	require.Equal(t, "find-rate-it/round-1/20-linear-0.8-s3", s.Jobs[1].Name)
	require.Equal(t, 10, s.Jobs[1].Recipe.Epochs)
	list, pending, err := again.Runs()
	require.NoError(t, err)
	require.Empty(t, list)
	require.Equal(t, s.Path, pending.Path)
	for _, job := range s.Jobs {
		dir := filepath.Join(root, job.Name)
		writer, err := runs.Create(dir, job.Recipe)
		require.NoError(t, err)
		require.NoError(t, writer.Append(runs.Row{Epoch: 10, Step: 160, TrainError: 5, ValidationError: 20, Seconds: 30}))
		require.NoError(t, writer.WriteResult(runs.Result{Completed: true, Status: "finished", Epochs: 10, Steps: 160}))
		require.NoError(t, writer.Close())
	}
	list, pending, err = again.Runs()
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Nil(t, pending)
	require.Equal(t, sweep.Done, s.Status(root)[0].State)
	require.Equal(t, time.Minute, again.Spent())
	search := again.Search(1000, Recorded)
	require.InDelta(t, 60/(clock.Seconds(recipe, 1, 10)+clock.Seconds(recipe, 0.8, 10))*45, search.Cost(1, 40), 1e-9, "as fast as so far")
	next, ok := search.Next(list)
	require.True(t, ok)
	require.Equal(t, 20, next.Epochs)

	other := recipe
	other.Depth = 26
	_, err = Open(root, "find-rate-it", other, []float64{1, 0.8, 0.5})
	require.ErrorContains(t, err, "holds the search for another training (depth: 20, 26; the folder's value first): "+
		"give this one another name")
	_, err = Open(root, "find-rate-it", recipe, []float64{1, 0.5})
	require.ErrorContains(t, err, "candidates: 1 0.8 0.5, 1 0.5")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "full", "x"), 0o755))
	_, err = Open(root, "full", recipe, []float64{1, 0.5})
	require.ErrorContains(t, err, "holds something else than a search: give this one another name")
	require.NoError(t, os.WriteFile(filepath.Join(root, "find-rate-it", "asked.json"), []byte("{"), 0o644))
	_, err = Open(root, "find-rate-it", recipe, []float64{1, 0.5})
	require.ErrorContains(t, err, "asked.json is damaged")
}
