package training

import (
	"cmp"
	"context"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
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

// Classify is Evaluate image by image: it returns a prediction for each image of a part, in their order.
func (m *Model) Classify(ctx context.Context, part dataset.View) ([]Prediction, error) {
	if m.classifyExec == nil {
		exec, err := m.named(model.NewExec(m.backend, m.Store, m.classifyGraph))
		if err != nil {
			return nil, err
		}
		m.classifyExec = exec
	}
	predictions := make([]Prediction, 0, part.Len())
	err := m.inBatches(ctx, part, func(pixels []byte, labels []int32) error {
		size := len(labels)
		inputs := []any{
			tensors.FromFlatDataAndDimensions(pixels, size, dataset.Side, dataset.Side, dataset.Channels),
			tensors.FromFlatDataAndDimensions(labels, size),
		}
		outputs, err := m.classifyExec.Call(inputs...)
		if err != nil {
			return err
		}
		free(inputs)
		losses, err := vector(outputs[0])
		if err != nil {
			return err
		}
		classes, err := vector(outputs[1])
		if err != nil {
			return err
		}
		for i, label := range labels {
			if label >= 0 {
				predictions = append(predictions, Prediction{Index: len(predictions), Label: int(label), Predicted: int(classes[i]), Loss: losses[i]})
			}
		}
		return nil
	})
	return predictions, err
}

// classifyGraph returns the cross-entropy of each image and the class that it is taken for, both [batch].
func (m *Model) classifyGraph(scope *model.Scope, pixels, labels *Node) []*Node {
	scope.Store().SetTraining(pixels.Graph(), false)
	logits := m.forward(scope, normalize(pixels, m.Normalization, m.Network.ParameterDType()), nil)
	return []*Node{crossEntropy(logits, Max(labels, ZerosLike(labels))), ConvertDType(ArgMax(logits, -1), logits.DType())}
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
