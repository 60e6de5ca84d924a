package network

import (
	"testing"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/runs/recipes"
)

// rgb is the format of the images.
var rgb = dataset.Format{Height: 32, Width: 32, Channels: 3}

// tiny is the recipe of 8 layers and 3 epochs of 3 steps, with a smaller last minibatch.
func tiny(t *testing.T) recipes.Recipe {
	r := eight(t, 0.5)
	r.Epochs, r.Augment, r.EvaluateEvery = 3, true, 0
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
