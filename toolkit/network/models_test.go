package network

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// The networks of data/models fit their recipes, and if their data are there, they have the recorded test errors. Other
// processors round differently, which may change a close decision: half a percent is allowed.
func TestTheCommittedNetworks(t *testing.T) {
	list, err := models.List("../../data/models")
	require.NoError(t, err)
	// Shapes come first: they need no files and are evaluated quickly.
	rank := map[string]int{"shapes": -1}
	slices.SortStableFunc(list, func(a, b models.Info) int {
		return rank[a.Recipe.Dataset] - rank[b.Recipe.Dataset]
	})
	const patience = 15 * time.Second
	started := time.Now()
	for _, info := range list {
		t.Run(info.Name(), func(t *testing.T) {
			m, err := openModel(backendtest.Open(t), info)
			require.NoError(t, err)
			require.NotEmpty(t, m.Normalization.Mean)
			if time.Since(started) > patience {
				t.Skip("loaded only: the earlier networks took all the time")
			}
			network, err := OpenFile(backendtest.Open(t), info.Path, "")
			if err != nil && info.Recipe.Dataset != "shapes" {
				t.Skip("loaded only: ", err)
			}
			require.NoError(t, err)
			ctx, stop := context.WithTimeout(t.Context(), max(time.Second, patience-time.Since(started)))
			defer stop()
			score, err := network.Evaluate(ctx, network.Data.Test)
			if ctx.Err() != nil {
				t.Skip("loaded only: its evaluation takes longer than there is time")
			}
			require.NoError(t, err)
			t.Logf("test error %.2f %%, recorded: %.2f %%", score.Error, info.TestError)
			require.InDelta(t, info.TestError, score.Error, 0.5)
			require.Equal(t, info.TrainingImages, network.Data.Train.Len())
		})
	}
}

// A network's file is enough to get everything back: weights, averages, normalisation, current survival probabilities, data
// and description.
func TestOpenFile(t *testing.T) {
	b := backendtest.Open(t)
	for _, normalization := range []string{"channel", "mean-image"} {
		r := eight(t, 0.5)
		if normalization == "mean-image" {
			r.ImageSize, r.ResizeSize = 16, 20
		}
		r.Seed, r.Normalization, r.SurvivalSchedule, r.TestImages = 3, normalization, "ramp", 30
		m, err := Open(b, r, "")
		require.NoError(t, err)
		data, ofRecipe := m.Data, m.Normalization
		m.Normalization, err = fit(r, data.Train.First(10))
		require.NoError(t, err)
		require.NoError(t, m.SetSurvival(depth.Survival{0.75, 0.5, 0.25}))
		want := evaluate(t, m.Model, data.Test)

		run := &runs.Run{Name: "mine", Recipe: r, Rows: []runs.Row{{Epoch: 2, Step: 6, ValidationError: 1, TestError: want.Error}},
			Result: &runs.Result{Session: runs.Session{Commit: "0123456789ab", Machine: "a machine"}}}
		dir := t.TempDir()
		path := filepath.Join(dir, "net.safetensors")
		info := models.OfRun(run, 6, data.Train.Len())
		require.NoError(t, m.Export(path, info.Metadata()))
		opened, err := OpenFile(b, path, "")
		require.NoError(t, err)
		info.Path, info.Bytes = path, opened.Info.Bytes
		require.Equal(t, info, opened.Info)
		require.NoError(t, info.Complete())
		require.Equal(t, r, opened.Recipe)
		require.Equal(t, m.Normalization, opened.Normalization)
		require.Equal(t, data.Test.Image(7), opened.Data.Test.Image(7))
		require.Equal(t, data.Validation.Len(), opened.Data.Validation.Len())
		require.Equal(t, want, evaluate(t, opened.Model, opened.Data.Test))

		// The opened network gives the same bytes again.
		again := filepath.Join(dir, "again.safetensors")
		require.NoError(t, opened.Export(again, opened.Info.Metadata()))
		first, err := os.ReadFile(path)
		require.NoError(t, err)
		second, err := os.ReadFile(again)
		require.NoError(t, err)
		require.True(t, string(first) == string(second))

		list, meta, err := tensorfile.Read(path)
		require.NoError(t, err)
		rewrite := func(change func(tensorfile.Tensor) (tensorfile.Tensor, bool), recipe string) {
			var changed []tensorfile.Tensor
			for _, tensor := range list {
				if tensor, keep := change(tensor); keep {
					changed = append(changed, tensor)
				}
			}
			require.NoError(t, tensorfile.Write(again, changed, map[string]string{"recipe": recipe}))
		}
		without := func(name string) func(tensorfile.Tensor) (tensorfile.Tensor, bool) {
			return func(tensor tensorfile.Tensor) (tensorfile.Tensor, bool) { return tensor, tensor.Name != name }
		}
		rewrite(without("fc.bias"), meta["recipe"])
		_, err = OpenFile(b, again, "")
		require.ErrorContains(t, err, "again.safetensors has no tensor fc.bias, so it is no network of this project: export it again")
		rewrite(without("fc.weight"), meta["recipe"])
		_, err = OpenFile(b, again, "")
		require.ErrorContains(t, err, "has no tensor fc.weight, which a network of 8 layers needs")
		rewrite(without(""), "")
		_, err = OpenFile(b, again, "")
		require.ErrorIs(t, err, models.ErrNoRecipe)
		rewrite(without(""), `{"dataset": "shapes", "depth": 9, "epochs": 1}`)
		_, err = OpenFile(b, again, "")
		require.ErrorContains(t, err, "depth 9 is not 6N+2 layers: the nearest are 8 and 14")
		rewrite(without(""), `{"dataset": "cifar10", "depth": 8, "epochs": 1}`)
		_, err = OpenFile(b, again, t.TempDir())
		require.ErrorContains(t, err, "data get cifar10")

		// A file without a normalisation gets the one of its recipe's training images.
		rewrite(func(tensor tensorfile.Tensor) (tensorfile.Tensor, bool) {
			return tensor, tensor.Name != "normalization.mean" && tensor.Name != "normalization.deviation"
		}, meta["recipe"])
		fitted, err := OpenFile(b, again, "")
		require.NoError(t, err)
		require.Equal(t, ofRecipe, fitted.Normalization)
	}
}

// Import sets each block's row of the stacked variables, in both types, and copies a variable only once: its memory depends on
// the file's size, not on the number of blocks as well.
func TestImportSetsEachBlock(t *testing.T) {
	for _, dtype := range []string{"float32", "float64"} {
		r, err := recipes.Preset("cifar10")
		require.NoError(t, err)
		r.DType = dtype
		file := func(m *Model) string {
			path := filepath.Join(t.TempDir(), "net.safetensors")
			require.NoError(t, m.Export(path, nil))
			return path
		}
		open := func(seed int64) *Model {
			r.Seed = seed
			normalization := dataset.Normalization{Mean: []float32{1, 2, 3}, Deviation: []float32{4, 5, 6}}
			m, err := NewModel(backendtest.Open(t), r, Input{rgb, 10, normalization})
			require.NoError(t, err)
			m.Recipe.Seed = 0 // it is in the file
			return m
		}
		one := file(open(1))
		want, err := os.ReadFile(one)
		require.NoError(t, err)
		other := open(2)
		different, err := os.ReadFile(file(other))
		require.NoError(t, err)
		require.NotEqual(t, string(want), string(different))

		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.NoError(t, other.Import(one))
		runtime.ReadMemStats(&after)
		times := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(want))
		t.Logf("%s: import takes %.1f times the file's size", dtype, times)
		require.Less(t, times, 15.0)

		got, err := os.ReadFile(file(other))
		require.NoError(t, err)
		require.True(t, string(want) == string(got))
	}
}

// A network that computes NaN for one class classifies nothing: its error is 100 %, whatever ArgMax finds among the others.
func TestAnUnknownLogitIsAMistake(t *testing.T) {
	net, err := Open(backendtest.Open(t), eight(t, 0), "")
	require.NoError(t, err)
	bias := net.Store.GetVariable("/network/linear/bias")
	require.NotNil(t, bias)
	values := make([]float32, bias.Shape().Size())
	values[3] = float32(math.NaN())
	require.NoError(t, bias.SetValue(tensors.FromFlatDataAndDimensions(values, len(values))))
	score, err := net.Evaluate(t.Context(), net.Data.Test)
	require.NoError(t, err)
	require.Equal(t, 100.0, score.Error)
	require.True(t, math.IsNaN(score.Loss))
}

// rgb is the format of the images.
var rgb = dataset.Format{Height: 32, Width: 32, Channels: 3}

// tiny is the recipe of 8 layers and 3 epochs of 3 steps, with a smaller last minibatch.
func tiny(t *testing.T) recipes.Recipe {
	r := eight(t, 0.5)
	r.Epochs, r.Augment, r.EvaluateEvery = 3, "shift", 0
	return r
}

// The engine and the textbook form stay together through several optimizer steps: in float64 every parameter, velocity and
// average agrees to 1e-9, whether closed blocks move or are frozen.
func TestContractThroughSteps(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		variables := func(form string) map[string][]float64 {
			r := tiny(t)
			r.Form, r.DType, r.Depth, r.BatchSize, r.TrainImages = form, "float64", 14, 8, 24 // equal batches: one compilation
			r.LearningRate, r.FreezeClosed = 0.1, frozen
			_, values := steps(t, r, 1, 5)
			return values
		}
		textbook, engine := variables("resnet"), variables("survivors")
		largest := requireNear(t, textbook, engine, 1e-9)
		t.Logf("frozen %t: largest difference of %d variables after 5 steps %.1e", frozen, len(textbook), largest)
	}
}
