package analysis

import (
	"cmp"
	"context"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network"
)

// Prediction is what a network makes of one image.
type Prediction struct {
	Index     int     // of the image in its part
	Label     int     // what it is
	Predicted int     // what it is taken for
	Loss      float64 // cross-entropy
}

// Wrong reports whether the image is taken for something else.
func (p Prediction) Wrong() bool { return p.Label != p.Predicted }

// Classify is [network.Model.Evaluate] image by image: it returns a prediction for each image of a part, in their order.
func Classify(ctx context.Context, m *network.Model, part dataset.View) ([]Prediction, error) {
	program, err := m.Program("classify", func(scope *model.Scope, inputs []*Node) []*Node {
		logits, labels := m.TestLogits(scope, inputs[0]), inputs[1]
		return []*Node{ // of each image, [batch]: its cross-entropy, and the class that it is taken for
			network.CrossEntropy(logits, Max(labels, ZerosLike(labels))),
			ConvertDType(ArgMax(logits, -1), logits.DType()),
		}
	})
	if err != nil {
		return nil, err
	}
	predictions := make([]Prediction, 0, part.Len())
	err = m.OnImages(ctx, program, part, func(labels []int32, outputs [][]float64) {
		losses, classes := outputs[0], outputs[1]
		for i, label := range labels {
			if label >= 0 {
				predictions = append(predictions, Prediction{Index: len(predictions), Label: int(label), Predicted: int(classes[i]), Loss: losses[i]})
			}
		}
	})
	return predictions, err
}

// Confusion counts predictions: [i][j] images of class i were taken for class j.
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

// Worst returns the wrong predictions of the highest cross-entropy, the worst first, n at most.
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
