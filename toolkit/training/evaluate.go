package training

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"stochdepth/toolkit/backend"
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
	var score Score
	err := m.inBatches(ctx, part, func(pixels []byte, labels []int32) error {
		inputs := []any{
			tensors.FromFlatDataAndDimensions(pixels, len(labels), dataset.Side, dataset.Side, dataset.Channels),
			tensors.FromFlatDataAndDimensions(labels, len(labels)),
		}
		outputs, err := m.evaluateExec.Call(inputs...)
		if err != nil {
			return err
		}
		free(inputs)
		v, err := vector(outputs[0])
		if err != nil {
			return err
		}
		score.Error += v[0]
		score.Loss += v[1]
		return nil
	})
	if err != nil {
		return Score{}, err
	}
	score.Error = 100 * score.Error / float64(part.Len())
	score.Loss /= float64(part.Len())
	return score, nil
}

// inBatches hands a part's images on, a batch of equal size at a time; labels of -1 fill up the last.
func (m *Model) inBatches(ctx context.Context, part dataset.View, do func(pixels []byte, labels []int32) error) error {
	if part.Len() == 0 {
		return fmt.Errorf("there are no images to evaluate on")
	}
	size := min(evaluationBatch, part.Len())
	indices, labels := make([]int32, size), make([]int32, size)
	pixels := make([]byte, size*dataset.ImageBytes)
	for first := 0; first < part.Len(); first += size {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range indices {
			indices[i] = int32((first + i) % part.Len())
		}
		part.Gather(indices, pixels, labels)
		for i := part.Len() - first; i < size; i++ {
			labels[i] = -1
		}
		if err := do(pixels, labels); err != nil {
			return fmt.Errorf("the evaluation failed: %w", backend.Explain(err))
		}
	}
	return nil
}

// free releases the device memory of inputs at once, instead of when Go collects them.
func free(inputs []any) {
	for _, input := range inputs {
		input.(*tensors.Tensor).FinalizeAll()
	}
}
