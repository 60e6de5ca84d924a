package network

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/models"
)

// A pruned network's file is that of the network without the blocks: opened, it scores the same, and it has their tensors only.
// The averages measured again are those that a training step of the smaller network measures on the same images.
func TestPruned(t *testing.T) {
	b := backendtest.Open(t)
	for _, block := range []string{depth.Basic, depth.Bottleneck, depth.Transformer} { // they end in a normalisation, a convolution, neither
		t.Run(block, func(t *testing.T) {
			r := eight(t, 0.5)
			r.Block, r.DType, r.TrainImages, r.BatchSize = block, "float64", 100, 100
			r.ImageSize, r.BatchNormScale = 16, "uniform"
			kept := []int{2, 3, 4, 5, 6} // the first group's second block, and both blocks of the others
			switch block {
			case depth.Transformer:
				r.Depth, kept = 3, []int{1, 3}
			case depth.Bottleneck:
				r.Depth, kept = 20, []int{1, 3, 4, 5} // the first block widens
			default:
				r.Depth = 14
			}
			o, err := Open(b, r, "")
			require.NoError(t, err)
			path := filepath.Join(t.TempDir(), "small.safetensors")
			info := models.Info{Recipe: r, Kept: kept, Whole: len(o.Network.Survival)}
			require.NoError(t, o.ExportPruned(path, info.Metadata(), kept))
			small, err := OpenFile(b, path, "")
			require.NoError(t, err)
			require.Equal(t, kept, small.Info.Kept)
			require.Equal(t, len(o.Network.Survival), small.Info.Whole)
			require.Len(t, small.Network.Survival, len(kept))
			list, _, err := tensorfile.Read(path)
			require.NoError(t, err)
			last := 0
			for _, tensor := range list {
				if strings.HasPrefix(tensor.Name, "blocks.") {
					last = max(last, int(tensor.Name[len("blocks.")]-'0'))
				}
			}
			require.Equal(t, len(kept)-1, last)

			survival := slices.Clone(o.Network.Survival)
			for l := range survival {
				if !slices.Contains(kept, l+1) {
					survival[l] = 0
				}
			}
			require.NoError(t, o.SetSurvival(survival))
			want, got := evaluate(t, o.Model, o.Data.Test), evaluate(t, small.Model, o.Data.Test)
			require.InDelta(t, want.Loss, got.Loss, 1e-10)
			require.Equal(t, block != depth.Transformer, o.HasAverages())
			if block != depth.Basic {
				return
			}

			before := numbers(t, o.Model)
			putBack, err := o.Remeasure(t.Context(), o.Data.Train)
			require.NoError(t, err)
			measured := numbers(t, o.Model)
			require.NoError(t, small.SetSurvival(depth.Constant(len(kept)))) // so that training divides by 1
			require.NoError(t, small.SetLearningRate(0))
			batch := o.Batches().At(0)
			batch.SetGates(slices.Repeat(depth.Gates{true}, len(kept)))
			takeStep(t, small.Model, batch)
			stepped := numbers(t, small.Model)
			compared := 0
			for name, values := range stepped {
				if !strings.Contains(name, "running") {
					continue
				}
				if own := blockOf(name); own != "" {
					name = "blocks." + string(rune('0'+kept[own[len("blocks.")]-'0']-1)) + "." + strings.TrimPrefix(name, own)
				}
				require.InDeltaSlice(t, values, measured[name], 1e-9, name)
				require.NotEqual(t, before[name], measured[name], name)
				compared++
			}
			require.Greater(t, compared, 8)
			require.NoError(t, putBack())
			require.Equal(t, before, numbers(t, o.Model))
		})
	}
}

func TestWhatCannotBePruned(t *testing.T) {
	r := eight(t, 0.5)
	r.Depth = 14
	m, err := NewModel(backendtest.Open(t), r, Input{Format: rgb, Classes: 10, Normalization: dataset.Normalization{Mean: make([]float32, 3), Deviation: []float32{1, 1, 1}}})
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, false, true, false, true}, m.Network.Removable())
	for want, kept := range map[string][]int{
		"block 3 changes the shape of what it gets, so the network needs it":                        {1, 2, 4, 5, 6},
		"no block of group 1 is left: keep one at least":                                            {3, 4, 5},
		"the blocks to keep are [1 1 3 5]: they must be numbers from 1 to 6 in ascending order":     {1, 1, 3, 5},
		"the blocks to keep are [0 1 3 5]: they must be numbers from 1 to 6 in ascending order":     {0, 1, 3, 5},
		"the blocks to keep are [1 3 4 5 6 7]: they must be numbers from 1 to 6 in ascending order": {1, 3, 4, 5, 6, 7},
	} {
		require.EqualError(t, m.ExportPruned(filepath.Join(t.TempDir(), "x.safetensors"), nil, kept), want)
	}
}
