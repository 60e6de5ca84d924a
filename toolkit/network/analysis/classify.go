package analysis

import (
	"cmp"
	"context"
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network"
)

// Prediction is a network's result for one image.
type Prediction struct {
	Index      int     // of the image in its part
	Label      int     // the true class
	Predicted  int     // the predicted class
	Confidence float64 // the probability of the predicted class, by the network
	Loss       float64 // cross-entropy: minus the logarithm of the probability of the true class
}

// Wrong reports whether the predicted class is not the true one.
func (p Prediction) Wrong() bool { return p.Label != p.Predicted }

// Classify is [network.Model.Evaluate] image by image: it returns a prediction for each image of a part, in their order.
func Classify(ctx context.Context, m *network.Model, part dataset.View) ([]Prediction, error) {
	program, err := m.Program("classify", func(scope *model.Scope, inputs []*Node) []*Node {
		logits, labels := m.TestLogits(scope, inputs[0]), inputs[1]
		predicted := ArgMax(logits, -1)
		return []*Node{ // for each image, [batch]: its cross-entropy, its predicted class, and that of such a label
			network.CrossEntropy(logits, Max(labels, ZerosLike(labels))),
			ConvertDType(predicted, logits.DType()),
			network.CrossEntropy(logits, predicted),
		}
	})
	if err != nil {
		return nil, err
	}
	predictions := make([]Prediction, 0, part.Len())
	err = m.OnImages(ctx, program, part, func(labels []int32, outputs [][]float64) {
		losses, classes, least := outputs[0], outputs[1], outputs[2]
		for i, label := range labels {
			if label >= 0 {
				predictions = append(predictions, Prediction{Index: len(predictions), Label: int(label),
					Predicted: int(classes[i]), Confidence: math.Exp(-least[i]), Loss: losses[i]})
			}
		}
	})
	return predictions, err
}

// Confusion counts predictions: [i][j] is the number of images of class i with the predicted class j.
func Confusion(predictions []Prediction, classes int) [][]int {
	counts := make([][]int, classes)
	for i := range counts {
		counts[i] = make([]int, classes)
	}
	for _, p := range predictions {
		counts[p.Label][p.Predicted]++
	}
	return counts
}

// Worst returns up to n wrong predictions, those with the highest cross-entropy, the worst first.
func Worst(predictions []Prediction, n int) []Prediction {
	var wrong []Prediction
	for _, p := range predictions {
		if p.Wrong() {
			wrong = append(wrong, p)
		}
	}
	slices.SortStableFunc(wrong, func(a, b Prediction) int { return cmp.Compare(b.Loss, a.Loss) })
	return wrong[:min(n, len(wrong))]
}
