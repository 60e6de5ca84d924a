package runs

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/runs/recipes"
)

// Follow waits for the folder of a run, sees it grow, and ends with it.
func TestFollow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	var grown []int
	follow := func(ctx context.Context, dir string, patience time.Duration) (*Run, error) {
		return Follow(ctx, dir, patience, progress.New(0, "run", "epochs"), func(run *Run) { grown = append(grown, len(run.Rows)) })
	}
	_, err := follow(context.Background(), dir, 0)
	require.ErrorContains(t, err, "there is no run run: start its training first")

	recipe, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	recipe.Epochs = 2
	failed := make(chan error, 1)
	go func() {
		failed <- func() error {
			time.Sleep(lookEvery / 2)
			w, err := Create(dir, recipe)
			if err != nil {
				return err
			}
			defer w.Close()
			for epoch := 1; epoch <= 2; epoch++ {
				if err := w.Append(Row{Epoch: float64(epoch), Step: int64(epoch), TrainLoss: 1,
					TestError: 20 - float64(epoch)}); err != nil {
					return err
				}
				time.Sleep(lookEvery / 2)
			}
			return w.WriteResult(Result{Completed: true, Status: "finished"})
		}()
	}()
	run, err := follow(context.Background(), dir, 10*time.Second)
	require.NoError(t, err)
	require.NoError(t, <-failed)
	require.Len(t, run.Rows, 2)
	require.Equal(t, "finished", run.Status())
	require.IsIncreasing(t, grown)
	sweep := filepath.Dir(dir)
	_, err = follow(context.Background(), sweep, 0)
	require.EqualError(t, err, filepath.Base(sweep)+" is a folder of runs: name one of them, such as "+filepath.Base(sweep)+"/run")

	other := filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.MkdirAll(other, 0o755))
	w, err := Create(other, recipe)
	require.NoError(t, err)
	defer w.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
	defer cancel()
	run, err = follow(ctx, other, time.Minute) // its training goes on
	require.NoError(t, err)
	require.Empty(t, run.Rows)
}

func TestPaceOfAFollowedRun(t *testing.T) {
	run := &Run{Recipe: recipes.Recipe{Epochs: 60}}
	require.Equal(t, pace{}, paceOf(run))
	require.Empty(t, paceOf(run).text())
	for epoch := 1; epoch <= 10; epoch++ { // of 32 steps: ten seconds each, twenty from the sixth on
		seconds := 10 * float64(epoch)
		if epoch > 5 {
			seconds = 50 + 20*float64(epoch-5)
		}
		run.Rows = append(run.Rows, Row{Epoch: float64(epoch), Step: int64(32 * epoch), Seconds: seconds})
	}
	require.Equal(t, pace{step: 320, steps: 1920, speed: 1.6, remaining: 1000 * time.Second, took: 150 * time.Second}, paceOf(run))
	require.Equal(t, "step 320 of 1,920, 1.6 steps/s, ", paceOf(run).text())
	run.Rows = []Row{{Epoch: 0.5, Step: 16, Seconds: 4, TrainLoss: 1, TrainError: 2, ValidationError: 3, TestError: math.NaN(),
		OpenBlocksMean: 7}}
	require.Equal(t, pace{step: 16, steps: 1920, speed: 4, remaining: 476 * time.Second, took: 4 * time.Second}, paceOf(run))
	require.Equal(t, "epoch 0.5  loss 1.0000  error: training 2.00 %, validation 3.00 %  open blocks 7.00  4 s", run.Rows[0].Text())
}
