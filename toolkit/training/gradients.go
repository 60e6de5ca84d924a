package training

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/resnet"
)

// GradientMagnitudes returns the mean absolute gradient of each block's first convolution for a minibatch, with its
// gates: the quantity of Fig. 7 for all L blocks, where Fig. 7 shows block 1. It is 0 for a closed block. Nothing of
// the model changes. Weight decay is not part of it.
func (m *Model) GradientMagnitudes(b *Batch) ([]float64, error) {
	if m.gradientExec == nil {
		exec, err := model.NewExec(m.backend, m.Store, m.gradientGraph)
		if err != nil {
			return nil, err
		}
		m.gradientExec = exec
	}
	inputs := b.tensors(m)
	outputs, err := m.gradientExec.Call(inputs...)
	if err != nil {
		return nil, fmt.Errorf("the gradients could not be computed: %w", err)
	}
	free(inputs)
	return vector(outputs[0])
}

// gradientGraph takes the inputs of stepGraph and returns the magnitudes [L].
func (m *Model) gradientGraph(scope *model.Scope, inputs []*Node) *Node {
	g := inputs[0].Graph()
	scope.Store().SetTraining(g, true)
	before := make(map[*model.Variable]*Node)
	for v := range scope.Store().IterVariables() {
		if !v.Trainable {
			before[v] = v.NodeValue(g)
		}
	}
	images := normalize(inputs[0], m.Normalization, m.Network.ParameterDType())
	if m.Recipe.Augment {
		images = augment(images, inputs[3])
	}
	loss := ReduceAllMean(crossEntropy(m.forward(scope, images, inputs[2]), inputs[1]))
	var kernels []*Node
	for _, s := range m.Network.Stages() {
		kernels = append(kernels, resnet.Variable(scope, s.Name+"/kernel1").NodeValue(g))
	}
	var magnitudes []*Node
	for _, gradient := range Gradient(loss, kernels...) {
		magnitudes = append(magnitudes, ReduceMean(Abs(gradient), 1, 2, 3, 4))
	}
	for v, value := range before { // the averages of batch normalisation stay
		v.SetNodeValue(value)
	}
	return Concatenate(magnitudes, 0)
}

// MeanGradientMagnitudes averages GradientMagnitudes over the minibatches of so many steps from first on.
func (m *Model) MeanGradientMagnitudes(batches *Batches, first, steps int64) ([]float64, error) {
	mean := make([]float64, len(m.Network.Survival))
	for step := first; step < first+steps; step++ {
		magnitudes, err := m.GradientMagnitudes(batches.At(step))
		if err != nil {
			return nil, err
		}
		for l, magnitude := range magnitudes {
			mean[l] += magnitude / float64(steps)
		}
	}
	return mean, nil
}
