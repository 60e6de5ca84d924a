package analysis

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/residual"
)

// GradientMagnitudes returns the mean absolute gradient of each block's first weights (in the paper's network those of its
// first convolution) for a minibatch with its gates: the quantity of Fig. 7, which shows block 1, for all L blocks. It is 0
// for a closed block. Weight decay is not part of it.
func GradientMagnitudes(m *network.Model, b *network.Batch) ([]float64, error) {
	program, err := m.Program("gradients", func(scope *model.Scope, inputs []*Node) []*Node {
		return []*Node{magnitudes(m, scope, inputs)}
	})
	if err != nil {
		return nil, err
	}
	values, err := m.OnMinibatch(program, b)
	if err != nil {
		return nil, fmt.Errorf("the gradients could not be computed: %w", err)
	}
	return values, nil
}

// magnitudes builds the graph of the magnitudes, [L], from the inputs of a training step.
func magnitudes(m *network.Model, scope *model.Scope, inputs []*Node) *Node {
	g := inputs[0].Graph()
	before := make(map[*model.Variable]*Node)
	for v := range scope.Store().IterVariables() {
		if !v.Trainable {
			before[v] = v.NodeValue(g)
		}
	}
	loss := m.TrainingLoss(m.TrainingLogits(scope, inputs), inputs)
	var weights []*Node
	for _, s := range m.Network.Stages() {
		weights = append(weights, residual.Variable(scope, s.Weights()).NodeValue(g))
	}
	var perStage []*Node
	for _, gradient := range Gradient(loss, weights...) {
		perBlock := Reshape(Abs(gradient), gradient.Shape().Dimensions[0], -1)
		perStage = append(perStage, ReduceMean(perBlock, 1))
	}
	for v, value := range before { // leave the averages of batch normalisation unchanged
		v.SetNodeValue(value)
	}
	return Concatenate(perStage, 0)
}

// MeanGradients averages [GradientMagnitudes] over the first minibatches of a data set's training part: for each block over
// the minibatches in which it was open (with gates per sample: over all, divided by the mean share of open gates), 0 if it
// never was. The gates are drawn with the given survival probabilities, the network's own or others; those of sub-batches, whose
// sizes are the network's, are drawn per minibatch instead.
func MeanGradients(m *network.Model, train dataset.View, survival depth.Survival, minibatches int64) ([]float64, error) {
	recipe := m.Recipe
	recipe.SurvivalSchedule = string(depth.Steady) // the given probabilities, from the first minibatch on
	if recipe.SubBatches() {
		recipe.GatesPer = "minibatch"
	}
	batches := network.NewBatches(recipe, survival, train)
	mean, open := make([]float64, len(survival)), make([]float64, len(survival)) // sums over minibatches
	for step := range min(minibatches, batches.PerEpoch()) {
		batch := batches.At(step)
		magnitudes, err := GradientMagnitudes(m, batch)
		if err != nil {
			return nil, err
		}
		for l, magnitude := range magnitudes {
			mean[l] += magnitude
			open[l] += batch.OpenShare(l)
		}
	}
	for l := range mean {
		if open[l] > 0 {
			mean[l] /= open[l]
		}
	}
	return mean, nil
}
