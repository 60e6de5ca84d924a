package network

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/runs/recipes"
)

// rgb is the format of the images.
var rgb = dataset.Format{Height: 32, Width: 32, Channels: 3}

// tiny is the recipe of 8 layers and 3 epochs of 3 steps, the last of each smaller.
func tiny(t *testing.T) recipes.Recipe {
	r := eight(t, 0.5)
	r.Epochs, r.Augment, r.EvaluateEvery = 3, true, 0
	return r
}

// The engine and the textbook form stay together through several optimizer steps: in float64 every
// parameter, velocity and average agrees to 1e-9, with closed blocks moved and frozen.
func TestContractThroughSteps(t *testing.T) {
	for _, frozen := range []string{"false", "true"} {
		variables := func(form string) map[string][]float64 {
			r := tiny(t)
			r.Form, r.DType, r.Depth, r.TrainImages = form, "float64", 14, 48 // equal batches: one compilation
			require.NoError(t, r.Set("freeze_closed", frozen))
			m, err := Open(backendtest.Open(t), r, "")
			require.NoError(t, err)
			require.NoError(t, m.SetLearningRate(0.1))
			batches := m.Batches()
			for step := range int64(5) {
				wait, err := m.Step(batches.At(step))
				require.NoError(t, err)
				_, err = wait()
				require.NoError(t, err)
			}
			values := make(map[string][]float64)
			for v := range m.Store.IterVariables() {
				if value, err := v.Value(); err == nil && v.Shape().DType.IsFloat() {
					values[v.Path()] = tensors.MustCopyFlatData[float64](value)
				}
			}
			return values
		}
		textbook, engine := variables("resnet"), variables("survivors")
		require.Len(t, engine, len(textbook))
		var most float64
		for path, want := range textbook {
			for i, w := range want {
				d := math.Abs(w-engine[path][i]) / max(1, math.Abs(w))
				most = max(most, d)
				require.LessOrEqual(t, d, 1e-9, "%s[%d]", path, i)
			}
		}
		t.Logf("frozen %s: largest difference of %d variables after 5 steps %.1e", frozen, len(textbook), most)
	}
}
