package training

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"stochdepth/toolkit/dataset"
)

// evaluationBatch is how many images are classified at once.
const evaluationBatch = 500

// Score is the outcome of an evaluation.
type Score struct {
	Error float64 // percent of the images classified wrongly
	Loss  float64 // mean cross-entropy
}

// Evaluate classifies all images of a part in test mode, every block open and scaled by its survival
// probability (Eq. 5). It stops early with the context's error when that is cancelled.
func (m *Model) Evaluate(ctx context.Context, part dataset.View) (Score, error) {
	if part.Len() == 0 {
		return Score{}, fmt.Errorf("there are no images to evaluate on")
	}
	var score Score
	size := min(evaluationBatch, part.Len())
	indices, labels := make([]int32, size), make([]int32, size)
	pixels := make([]byte, size*dataset.ImageBytes)
	for first := 0; first < part.Len(); first += size {
		if err := ctx.Err(); err != nil {
			return Score{}, err
		}
		for i := range indices {
			indices[i] = int32((first + i) % part.Len())
		}
		part.Gather(indices, pixels, labels)
		for i := part.Len() - first; i < size; i++ {
			labels[i] = -1 // fills up the last batch
		}
		inputs := []any{
			tensors.FromFlatDataAndDimensions(pixels, size, dataset.Side, dataset.Side, dataset.Channels),
			tensors.FromFlatDataAndDimensions(labels, size),
		}
		outputs, err := m.evaluateExec.Call(inputs...)
		if err != nil {
			return Score{}, fmt.Errorf("the evaluation failed: %w", err)
		}
		free(inputs)
		v, err := vector(outputs[0])
		if err != nil {
			return Score{}, fmt.Errorf("the evaluation failed: %w", err)
		}
		score.Error += v[0]
		score.Loss += v[1]
	}
	score.Error = 100 * score.Error / float64(part.Len())
	score.Loss /= float64(part.Len())
	return score, nil
}

// free releases the device memory of inputs at once, instead of when Go collects them.
func free(inputs []any) {
	for _, input := range inputs {
		input.(*tensors.Tensor).FinalizeAll()
	}
}
