package training_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs/recipes"
)

// A recipe's tf32 shows in the names of its programs, by which a GPU compiles them. A CPU refuses to train with it, but
// evaluates a network that was trained with it.
func TestTF32(t *testing.T) {
	b := backendtest.Open(t)
	if backend.Describe(b).Kernels == "" {
		t.Skip("programs do not pass through package proxy here")
	}
	recipe := recipes.Default()
	recipe.Dataset, recipe.Depth, recipe.Epochs, recipe.DType = "shapes", 8, 1, "tf32"
	recipe.BatchSize, recipe.TrainImages, recipe.ValidationImages, recipe.TestImages = 10, 20, 5, 5
	dir := filepath.Join(t.TempDir(), "run")
	_, err := training.Train(context.Background(), b, training.Options{Dir: dir, Recipe: recipe})
	require.ErrorContains(t, err, "take --dtype float32")
	require.NoDirExists(t, dir)

	var programs []string
	proxy.Watch(func(program string) bool {
		programs = append(programs, program[:len("module @tf32_")])
		return true
	})
	defer proxy.Watch(nil)
	evaluate := func(dtype string) network.Score {
		recipe.DType = dtype
		m, err := network.Open(b, recipe, "")
		require.NoError(t, err)
		score, err := m.Evaluate(context.Background(), m.Data.Test)
		require.NoError(t, err)
		return score
	}
	require.Equal(t, evaluate("float32"), evaluate("tf32"))
	require.Len(t, programs, 2)
	require.NotEqual(t, "module @"+proxy.TF32, programs[0])
	require.Equal(t, "module @"+proxy.TF32, programs[1])
}
