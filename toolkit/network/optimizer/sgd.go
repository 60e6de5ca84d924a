// Package optimizer is stochastic gradient descent with Nesterov momentum and weight decay, as the authors' code uses it
// (torch/optim's sgd), and the schedule of its learning rate. GoMLX has neither.
package optimizer

import (
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	gomlx "github.com/gomlx/gomlx/ml/train/optimizer"
)

// Scope is where the optimizer's variables live in the model store: the velocity of each trainable variable, in the
// variable's shape, and the learning rate.
const Scope = "optimizer"

// SGD moves every trainable variable w by its gradient g:
//
//	g' = g + decay w;  v <- momentum v + g';  w <- w - rate (g' + momentum v)
//
// It decays all variables, batch-norm scales and offsets included, and it moves a closed block's weights too, as the
// authors' optimizer does: their gradient is zero, but decay and momentum are not. SGD implements GoMLX's
// optimizer.Interface and reads its learning rate from [LearningRate].
type SGD struct {
	Momentum    float64 // 0.9 in the paper
	WeightDecay float64 // 1e-4 in the paper

	// Mask, if set, returns the factor of a variable's update, 1 or 0, in a shape that broadcasts to the variable's, or nil
	// for all ones. With it a closed block's weights and velocity stay as they are.
	Mask func(v *model.Variable, g *Graph) *Node
	// Observe, if set, is called with every variable's gradient, before weight decay.
	Observe func(v *model.Variable, gradient *Node)
}

var _ gomlx.Interface = (*SGD)(nil)

// LearningRate returns the scalar variable with the rate of the next steps; set its value when the schedule changes it.
func LearningRate(scope *model.Scope, like *model.Variable) *model.Variable {
	return gomlx.LearningRateVar(scope, like.DType(), 0)
}

// UpdateGraph adds one training step to the graph: the gradients of the scalar loss with respect to the trainable variables
// in use, and the variables' new values. It also counts GoMLX's global step.
func (o *SGD) UpdateGraph(scope *model.Scope, g *Graph, loss *Node) {
	var variables []*model.Variable
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			variables = append(variables, v)
		}
	}
	gradients := scope.BuildTrainableVariablesGradientsGraph(loss)
	for i, v := range variables {
		if o.Observe != nil {
			o.Observe(v, gradients[i])
		}
		o.update(scope, g, v, gradients[i])
	}
	gomlx.IncrementGlobalStep(g, loss.DType())
}

func (o *SGD) update(scope *model.Scope, g *Graph, v *model.Variable, gradient *Node) {
	w, velocity := v.NodeValue(g), o.velocity(scope, v)
	rate := LearningRate(scope, v).NodeValue(g)
	decayed := Add(gradient, MulScalar(w, o.WeightDecay))
	newVelocity := Add(MulScalar(velocity.NodeValue(g), o.Momentum), decayed)
	newW := Sub(w, Mul(rate, Add(decayed, MulScalar(newVelocity, o.Momentum))))
	var mask *Node
	if o.Mask != nil {
		mask = o.Mask(v, g)
	}
	if mask != nil {
		open := BroadcastToShape(ConvertDType(mask, w.DType()), w.Shape())
		open = GreaterThan(open, ZerosLike(open))
		newW, newVelocity = Where(open, newW, w), Where(open, newVelocity, velocity.NodeValue(g))
	}
	v.SetNodeValue(newW)
	velocity.SetNodeValue(newVelocity)
}

// velocity returns v's velocity, zero before the first step.
func (o *SGD) velocity(scope *model.Scope, v *model.Variable) *model.Variable {
	path := model.JoinPath(model.ScopeSeparator+Scope, "velocity", v.Path())
	shape := shapes.Make(v.DType(), v.Shape().Dimensions...)
	return scope.Store().VariableWithShape(path, shape, initializer.Zero).SetTrainable(false)
}

// Clear deletes the velocities and the learning rate.
func (o *SGD) Clear(scope *model.Scope) error {
	return scope.Store().DeleteVariablesInScope(model.ScopeSeparator + Scope)
}

// Schedule is the paper's learning rate by epoch: a warm-up, then a rate that is divided by ten at given epochs (Section 4).
type Schedule struct {
	Rate  float64 // after the warm-up: 0.1 in the paper
	Drops []int   // the epochs, from 0, at which the rate is divided once more: 250 and 375 of 500 for CIFAR

	WarmupEpochs int     // 10 for 1202 layers, else 0
	WarmupRate   float64 // 0.01 for 1202 layers
}

// At returns the rate of an epoch, counted from 0. With a drop at 250 the first 250 epochs have the undivided rate. (The
// authors' code divides one epoch earlier.)
func (s Schedule) At(epoch int) float64 {
	if epoch < s.WarmupEpochs {
		return s.WarmupRate
	}
	divisions := 0
	for _, drop := range s.Drops {
		if epoch >= drop {
			divisions++
		}
	}
	return s.Rate / math.Pow10(divisions)
}
