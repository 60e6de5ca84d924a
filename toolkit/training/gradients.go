package training

import (
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/backend"
	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/resnet"
	"stochdepth/toolkit/runs"
)

// GradientMagnitudes returns the mean absolute gradient of each block's first weights, in the paper's network those of its first convolution, for a minibatch, with its
// gates: the quantity of Fig. 7 for all L blocks, where Fig. 7 shows block 1. It is 0 for a closed block. Nothing of
// the model changes. Weight decay is not part of it.
func (m *Model) GradientMagnitudes(b *Batch) ([]float64, error) {
	if m.gradientExec == nil {
		exec, err := m.named(model.NewExec(m.backend, m.Store, m.gradientGraph))
		if err != nil {
			return nil, err
		}
		m.gradientExec = exec
	}
	inputs := b.tensors(m)
	outputs, err := m.gradientExec.Call(inputs...)
	if err != nil {
		return nil, fmt.Errorf("the gradients could not be computed: %w", backend.Explain(err))
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
	var weights []*Node
	for _, s := range m.Network.Stages() {
		weights = append(weights, resnet.Variable(scope, s.Weights()).NodeValue(g))
	}
	var magnitudes []*Node
	for _, gradient := range Gradient(loss, weights...) {
		perBlock := Reshape(Abs(gradient), gradient.Shape().Dimensions[0], -1)
		magnitudes = append(magnitudes, ReduceMean(perBlock, 1))
	}
	for v, value := range before { // the averages of batch normalisation stay
		v.SetNodeValue(value)
	}
	return Concatenate(magnitudes, 0)
}

// MeanGradients is GradientMagnitudes averaged over the first minibatches of a data set's training part: for each block
// over those in which it was open (per sample: over all, divided by the mean share of open gates), 0 if it never was. The
// gates are drawn by the given survival probabilities, the network's own or others.
func (m *Model) MeanGradients(train dataset.View, survival depth.Survival, minibatches int64) ([]float64, error) {
	recipe := m.Recipe
	recipe.SurvivalSchedule = string(depth.Steady) // the given probabilities, from the first minibatch on
	batches := NewBatches(recipe, survival, train)
	mean, open := make([]float64, len(survival)), make([]float64, len(survival)) // sums over minibatches
	for step := range min(minibatches, batches.PerEpoch()) {
		batch := batches.At(step)
		magnitudes, err := m.GradientMagnitudes(batch)
		if err != nil {
			return nil, err
		}
		for l, magnitude := range magnitudes {
			mean[l] += magnitude
			open[l] += batch.openShare(l)
		}
	}
	for l := range mean {
		if open[l] > 0 {
			mean[l] /= open[l]
		}
	}
	return mean, nil
}

// RunGradients is MeanGradients of a run's network. The weights are those of a checkpoint, [Best] or [Last], or with
// [Initial] those from before training.
func RunGradients(b compute.Backend, run *runs.Run, checkpoint string, survival depth.Survival, minibatches int64) ([]float64, error) {
	data, err := LoadData(run.Recipe, "")
	if err != nil {
		return nil, err
	}
	var m *Model
	if checkpoint == Initial {
		m, err = NewModel(b, run.Recipe, len(data.Classes), Fit(run.Recipe, data.Train))
	} else {
		m, _, err = Restore(b, run, checkpoint, data)
	}
	if err != nil {
		return nil, err
	}
	return m.MeanGradients(data.Train, survival, minibatches)
}

// Initial names the weights from before training, which need no checkpoint.
const Initial = "initial"
