package network

import (
	"context"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
)

// Score is the result of an evaluation.
type Score struct {
	Error float64 // percent of the images classified wrongly
	Loss  float64 // mean cross-entropy
}

// Evaluate classifies all images of a part in test mode, with every block open and scaled by its survival probability
// (Eq. 5). It stops early with the context's error when the context is cancelled.
func (m *Model) Evaluate(ctx context.Context, part dataset.View) (Score, error) {
	var score Score
	err := m.OnImages(ctx, m.evaluateExec, part, func(_ []int32, outputs [][]float64) {
		score.Error += outputs[0][0]
		score.Loss += outputs[0][1]
	})
	if err != nil {
		return Score{}, err
	}
	score.Error = 100 * score.Error / float64(part.Len())
	score.Loss /= float64(part.Len())
	return score, nil
}

// evaluateGraph classifies pixels [batch, height, width, channels] in test mode and returns a vector: the number of mistakes
// and the sum of the images' cross-entropies. Images with the label -1 do not count.
func (m *Model) evaluateGraph(scope *model.Scope, pixels, labels *Node) *Node {
	logits := m.TestLogits(scope, pixels)
	counts := ConvertDType(GreaterOrEqual(labels, ZerosLike(labels)), logits.DType())
	labels = Max(labels, ZerosLike(labels))
	sum := ReduceSum(logits, -1) // NaN if one logit is: no class is the largest then, although ArgMax names one
	isNaN := ConvertDType(NotEqual(sum, sum), logits.DType())
	mistakes := ReduceAllSum(Mul(Max(wrong(logits, labels), isNaN), counts))
	return Stack([]*Node{mistakes, ReduceAllSum(Mul(CrossEntropy(logits, labels), counts))}, 0)
}

// wrong is 1 for each image whose largest logit is not at its label, else 0, [batch].
func wrong(logits, labels *Node) *Node {
	return ConvertDType(NotEqual(ArgMax(logits, -1, labels.DType()), labels), logits.DType())
}
