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

// A recipe's bf16-products shows in the names of its programs too, and what the kernels do not compute is refused before a
// run begins.
func TestBF16Products(t *testing.T) {
	b := backendtest.Open(t)
	recipe := recipes.Default()
	recipe.Dataset, recipe.Depth, recipe.Epochs, recipe.DType = "shapes", 8, 1, "bf16-products"
	if backend.Describe(b).Kernels == "" {
		_, err := training.Train(context.Background(), b, training.Options{Dir: filepath.Join(t.TempDir(), "run"), Recipe: recipe})
		require.ErrorContains(t, err, "bf16-products needs our kernels")
		return
	}
	m, err := network.Open(b, recipe, "")
	require.NoError(t, err)
	require.ErrorContains(t, m.UseDevices(2), "dtype bf16-products takes a single device, not 2")
	exec, err := m.Program("test", nil)
	require.NoError(t, err)
	require.Contains(t, exec.Name(), proxy.BF16Products)

	recipe.ImageSize = 48
	_, err = network.Open(b, recipe, "")
	require.EqualError(t, err, "dtype bf16-products takes images of a width that is a multiple of 8 and of an even height, "+
		"but those of 64 channels are 12 x 12: take another image_size, such as 32 or 64, or dtype float32")
}
