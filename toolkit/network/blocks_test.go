package network

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/runs/recipes"
)

// A network with blocks of any kind trains, evaluates, loses blocks and gets them back, and is exported and imported as a
// file with PyTorch's names and layouts.
func TestBlocksOfOtherKinds(t *testing.T) {
	b := backendtest.Open(t)
	for _, c := range []struct {
		block string
		depth int
		set   map[string]string // further keys of the recipe
		names map[string][]int  // some of the file's tensors
	}{
		{"preactivation", 8, nil, map[string][]int{"stem.conv.weight": {16, 3, 3, 3}, "blocks.1.bn1.running_mean": {16},
			"blocks.1.conv1.weight": {32, 16, 3, 3}, "head.bn.weight": {64}, "fc.weight": {10, 64}}},
		{"bottleneck", 11, nil, map[string][]int{"blocks.0.conv1.weight": {16, 16, 1, 1}, "blocks.2.conv3.weight": {256, 64, 1, 1},
			"fc.weight": {10, 256}}},
		{"transformer", 2, nil, map[string][]int{"stem.patches.weight": {128, 48}, "stem.positions": {64, 128},
			"blocks.1.qkv.weight": {384, 128}, "blocks.1.qkv.bias": {384}, "blocks.1.norm2.bias": {128}, "head.norm.weight": {128}}},
		{"transformer", 1, map[string]string{"patch_size": "8", "pooling": "class-token", "image_size": "40"},
			map[string][]int{"stem.patches.weight": {128, 192}, "stem.positions": {26, 128}, "stem.class_token": {1, 128}}},
		{"bottleneck-original", 8, map[string]string{"blocks": "1,1", "stem": "imagenet", "shortcut": "projection"},
			map[string][]int{"stem.conv.weight": {64, 3, 7, 7}, "blocks.0.downsample.0.weight": {256, 64, 1, 1},
				"blocks.1.downsample.1.running_var": {512}, "blocks.1.conv2.weight": {128, 128, 3, 3}, "fc.weight": {10, 512}}},
	} {
		t.Run(c.block, func(t *testing.T) {
			r, err := recipes.Preset("shapes")
			require.NoError(t, err)
			r.Block, r.Depth, r.DeathRate, r.BatchSize, r.LearningRate = c.block, c.depth, 0.5, 4, 0.01
			r.TrainImages, r.ValidationImages, r.TestImages = 8, 4, 20
			for key, value := range c.set {
				require.NoError(t, r.Set(key, value))
			}
			m, err := Open(b, r, "")
			require.NoError(t, err)
			require.NoError(t, m.SetLearningRate(r.LearningRate))
			batch := m.Batches().At(0)
			batch.SetGates(depth.AllOpen(len(m.Network.Survival)))
			var losses []float64
			for range 4 {
				outcome := takeStep(t, m.Model, batch)
				losses = append(losses, outcome.Loss)
				require.Positive(t, outcome.Gradient)
			}
			require.Less(t, losses[3], losses[0], "repeated images are learned")

			whole := evaluate(t, m.Model, m.Data.Test)
			survival, err := m.CurrentSurvival()
			require.NoError(t, err)
			lesser := slices.Clone(survival)
			lesser[0], lesser[len(lesser)-1] = 0, 0
			require.NoError(t, m.SetSurvival(lesser))
			require.NotEqual(t, whole.Loss, evaluate(t, m.Model, m.Data.Test).Loss)
			require.NoError(t, m.SetSurvival(survival))
			require.Equal(t, whole, evaluate(t, m.Model, m.Data.Test))

			path := filepath.Join(t.TempDir(), "net.safetensors")
			require.NoError(t, m.Export(path, nil))
			list, _, err := tensorfile.Read(path)
			require.NoError(t, err)
			shapes := make(map[string][]int)
			for _, tensor := range list {
				require.NotContains(t, shapes, tensor.Name)
				shapes[tensor.Name] = tensor.Shape
			}
			for name, shape := range c.names {
				require.Equal(t, shape, shapes[name], name)
			}
			r.Seed++
			other, err := Open(b, r, "")
			require.NoError(t, err)
			require.NoError(t, other.Import(path))
			require.Equal(t, whole, evaluate(t, other.Model, m.Data.Test))
		})
	}
}
