package watch

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/notebook"
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
