package notebook

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

func TestControls(t *testing.T) {
	slider, list := Slider("p_L", 0.1, 1, 0.05, 0.5), DropDown("rule", "linear", "uniform")
	require.Equal(t, 0.5, slider.Number())
	require.Equal(t, "linear", list.Text())
	for _, c := range []struct {
		control     *Control
		value, want string
	}{
		{slider, "0.35", "0.35"}, {slider, "2", "0.35"}, {slider, "x", "0.35"}, {slider, "1", "1"},
		{list, "uniform", "uniform"}, {list, "list", "uniform"},
	} {
		c.control.set(c.value)
		require.Equal(t, c.want, c.control.Text(), "after %q", c.value)
	}
	require.Contains(t, slider.html("0"), `data-control="0" min="0.1" max="1" step="0.05" value="1"`)
	require.Contains(t, DropDown("<b>", "a<c").html("1"), `<label>&lt;b&gt; <select data-control="1"><option>a&lt;c</option></select>`)
}

// Where nobody can move anything the figure is drawn, once at most, and the cell goes on.
func TestInteractWithoutReader(t *testing.T) {
	drawn := 0
	require.NoError(t, Interact(func() (*figures.Figure, error) {
		drawn++
		return figures.LiveCurve(&runs.Run{Name: "x"})
	}, Slider("p_L", 0, 1, 0.1, 0.5)))
	require.LessOrEqual(t, drawn, 1)
	ctx, remove := StopButton(context.Background(), "Stop")
	require.NoError(t, ctx.Err())
	remove()
	require.Error(t, ctx.Err())
}

// Follow waits for the folder of a run, sees it grow, and ends with it.
func TestFollow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	_, err := Follow(context.Background(), dir, 0)
	require.ErrorContains(t, err, "there is no run run: start its training first")

	recipe, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	recipe.Epochs = 2
	failed := make(chan error, 1)
	go func() {
		failed <- func() error {
			time.Sleep(lookEvery / 2)
			w, err := runs.Create(dir, recipe)
			if err != nil {
				return err
			}
			defer w.Close()
			for epoch := 1; epoch <= 2; epoch++ {
				if err := w.Append(runs.Row{Epoch: float64(epoch), Step: int64(epoch), TrainLoss: 1, TestError: 20 - float64(epoch)}); err != nil {
					return err
				}
				time.Sleep(lookEvery / 2)
			}
			return w.WriteResult(runs.Result{Completed: true, Status: "finished"})
		}()
	}()
	run, err := Follow(context.Background(), dir, 10*time.Second)
	require.NoError(t, err)
	require.NoError(t, <-failed)
	require.Len(t, run.Rows, 2)
	require.Equal(t, "finished", run.Status())

	other := filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.MkdirAll(other, 0o755))
	w, err := runs.Create(other, recipe)
	require.NoError(t, err)
	defer w.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
	defer cancel()
	run, err = Follow(ctx, other, time.Minute) // its training goes on
	require.NoError(t, err)
	require.Empty(t, run.Rows)
}

func TestPaceOfAFollowedRun(t *testing.T) {
	run := &runs.Run{Recipe: recipes.Recipe{Epochs: 60}}
	require.Equal(t, pace{}, paceOf(run))
	require.Empty(t, paceOf(run).text())
	for epoch := 1; epoch <= 10; epoch++ { // of 32 steps: ten seconds each, twenty from the sixth on
		seconds := 10 * float64(epoch)
		if epoch > 5 {
			seconds = 50 + 20*float64(epoch-5)
		}
		run.Rows = append(run.Rows, runs.Row{Epoch: float64(epoch), Step: int64(32 * epoch), Seconds: seconds})
	}
	require.Equal(t, pace{step: 320, steps: 1920, speed: 1.6, remaining: 1000 * time.Second, took: 150 * time.Second}, paceOf(run))
	require.Equal(t, "step 320 of 1,920, 1.6 steps/s, ", paceOf(run).text())
	run.Rows = []runs.Row{{Epoch: 0.5, Step: 16, Seconds: 4, TrainLoss: 1, TrainError: 2, ValidationError: 3, TestError: math.NaN(), OpenBlocksMean: 7}}
	require.Equal(t, pace{step: 16, steps: 1920, speed: 4, remaining: 476 * time.Second, took: 4 * time.Second}, paceOf(run))
	require.Equal(t, "epoch 0.5  loss 1.0000  error: training 2.00 %, validation 3.00 %  open blocks 7.00  4 s", RowText(run.Rows[0]))
}

func TestTables(t *testing.T) {
	lines := tableText([]string{"depth", "error"}, [][]any{{110, 40.25000000000002}, {20, "–"}})
	require.Equal(t, "| depth | error |\n| --- | --- |\n| 110 | 40.25 |\n| 20 | – |\n", markdownTable(lines))
	require.Equal(t, "depth  error\n110    40.25\n20     –\n", textTable(lines))
}

func TestPresetTakesSettings(t *testing.T) {
	t.Setenv(EnvTiny, "")
	recipe, err := Preset("shapes", "depth=14", "death_rate=0.5")
	require.NoError(t, err)
	require.Equal(t, 14, recipe.Depth)
	require.Equal(t, 0.5, recipe.DeathRate)
	_, err = Preset("shapes", "deptt=14")
	require.ErrorContains(t, err, "depth")
}
