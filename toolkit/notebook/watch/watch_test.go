package watch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/notebook"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// A small run from beginning to end; a second call finds it finished.
func TestTrain(t *testing.T) {
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	t.Setenv(notebook.EnvTiny, "1")
	recipe := notebook.Must(notebook.Preset("quickstart"))
	recipe.Depth, recipe.Epochs = 8, 1
	dir := filepath.Join(t.TempDir(), "quickstart")
	run, err := Train(t.Context(), dir, recipe)
	require.NoError(t, err)
	require.True(t, run.Result.Completed)
	require.Len(t, run.Rows, 1)
	require.Regexp(t, `^test error \d+\.\d % at the epoch of the lowest validation error, 1$`, run.Outcome())

	again, err := Train(t.Context(), dir, recipe)
	require.NoError(t, err)
	require.Equal(t, run.Result.Ended.Round(time.Second), again.Result.Ended.Round(time.Second))

	other := recipe
	other.Seed = 2
	_, err = Train(t.Context(), dir, other)
	require.ErrorContains(t, err, "has another recipe (seed: 1, 2; the run's value first)")
	require.ErrorContains(t, err, "watch.Try")

	// A part of a run, then the rest; without a reader a stop is an error, and the test's process goes on.
	recipe.Epochs = 2
	_, err = TrainPart(t.Context(), dir+"-parts", recipe, 0.5)
	var stopped *Stopped
	require.ErrorAs(t, err, &stopped)
	require.ErrorIs(t, err, training.ErrStopped)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Train(ctx, dir+"-parts", recipe)
	var still *Stopped
	require.ErrorAs(t, err, &still)
	require.Equal(t, stopped.Step, still.Step)
	whole, err := Train(t.Context(), dir+"-parts", recipe)
	require.NoError(t, err)
	require.True(t, whole.Result.Completed)
	require.Greater(t, whole.Result.Steps, stopped.Step)

	_, err = Train(t.Context(), dir+"-2", recipes.Recipe{}, "/nowhere")
	require.ErrorContains(t, err, "/nowhere")
}

// A changed value makes a new run, and the old value gives the old run at once; the others are drawn beside it.
func TestTry(t *testing.T) {
	plugin, err := backend.Find()
	if err != nil {
		t.Skip(err)
	}
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module "+project.Module+"\n"), 0o644))
	t.Setenv(backend.Environment, "xla:"+plugin.Path) // the other folder has no .venv
	t.Setenv(project.EnvRoot, root)
	t.Setenv(notebook.EnvTiny, "1")
	try := func(settings ...string) *runs.Run {
		run, err := Try(t.Context(), "quickstart", append(settings, "depth=8")...)
		require.NoError(t, err)
		require.True(t, run.Finished())
		return run
	}
	recorded := func(run *runs.Run) time.Time { // to the nanosecond, while Result.Ended is in seconds
		info, err := os.Stat(filepath.Join(run.Dir, "result.json"))
		require.NoError(t, err)
		return info.ModTime()
	}
	half, more := try("death_rate=0.5"), try("death_rate=0.3")
	require.Equal(t, 0.3, more.Recipe.DeathRate)
	require.NotEqual(t, half.Rows[1].TrainLoss, more.Rows[1].TrainLoss)
	first := recorded(half)
	again := try("death_rate=0.5")
	require.Equal(t, half.Dir, again.Dir)
	require.Equal(t, first, recorded(again))

	var names []string
	for _, run := range drawn("quickstart", half.Dir) {
		names = append(names, run.Name)
	}
	require.Equal(t, []string{"1: death_rate=0.5", "2: death_rate=0.3"}, names)

	// A schedule of one's own, here the paper's, may have been edited since: it is trained anew.
	require.NoError(t, depth.RegisterSchedule("watch-own", func(float64) float64 { return 1 }))
	own := try("survival_schedule=watch-own")
	require.Equal(t, half.Rows[1].TrainLoss, own.Rows[1].TrainLoss)
	first = recorded(own)
	require.NotEqual(t, first, recorded(try("survival_schedule=watch-own")))
	_, err = Try(t.Context(), "quickstart", "death_rate=2")
	require.ErrorContains(t, err, "death_rate 2 is outside [0, 1)")
}
