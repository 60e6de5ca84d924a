// Package optimizer has what moves a network's weights: SGD with Nesterov momentum and weight decay, as the authors' code uses
// it (torch/optim's sgd), AdamW, clipped gradients, averages of the weights, and the schedule of the learning rate.
package optimizer

import (
	"sync"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	gomlx "github.com/gomlx/gomlx/ml/train/optimizer"
)

// Scope is where the optimizer's variables live in the model store: the velocity of each trainable variable, or its moments,
// in the variable's shape, and the learning rate.
const Scope = "optimizer"

// Optimizer moves every trainable variable by its gradient, as its rule says. It implements GoMLX's optimizer.Interface and
// reads its learning rate from [LearningRate].
//
// Without a mask it moves a closed block's weights too, as the authors' optimizer does: their gradient is zero, but decay and
// momentum are not. In PyTorch the same holds for gradients of zero; a parameter whose gradient is None stays as it is, with its
// velocity, or its moments and the number of its updates, as under Mask.
type Optimizer struct {
	Rule        Rule
	WeightDecay float64 // 1e-4 in the paper

	// Decays, if set, says which variables have weight decay; the authors' optimizer decays all, batch-norm scales and offsets
	// included.
	Decays func(v *model.Variable) bool
	// Clip, if above 0, is the largest norm of all gradients together: longer ones are shortened to it, before weight decay, as
	// by torch.nn.utils.clip_grad_norm_. (GoMLX clips each value of the step, decay included.)
	Clip float64
	// Mask, if set, returns the factor of a variable's update, 1 or 0, in a shape that broadcasts to the variable's, or nil
	// for all ones. With it a closed block's weights and their state stay as they are.
	Mask func(v *model.Variable, g *Graph) *Node
	// Observe, if set, is called with every variable's gradient, before clipping and weight decay.
	Observe func(v *model.Variable, gradient *Node)
}

var _ gomlx.Interface = (*Optimizer)(nil)

// Rule is how a variable moves by its gradient: [SGD] or [AdamW].
type Rule interface {
	// update returns the next value of the variable w. It reads and sets the state that the rule keeps for it.
	update(s *state, w, gradient, rate *Node, decay float64) *Node
}

// LearningRate returns the scalar variable with the rate of the next steps; set its value when the schedule changes it.
func LearningRate(scope *model.Scope, like *model.Variable) *model.Variable {
	return gomlx.LearningRateVar(scope, like.DType(), 0)
}

// UpdateGraph adds one training step to the graph: the gradients of the scalar loss with respect to the trainable variables
// in use, and the variables' new values. It also counts GoMLX's global step.
func (o *Optimizer) UpdateGraph(scope *model.Scope, g *Graph, loss *Node) {
	var variables []*model.Variable
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			variables = append(variables, v)
		}
	}
	gradients := scope.BuildTrainableVariablesGradientsGraph(loss)
	shorten := func(gradient *Node) *Node { return gradient }
	if o.Clip > 0 {
		factor := clipping(gradients, o.Clip)
		shorten = func(gradient *Node) *Node { return Mul(gradient, factor) }
	}
	for i, v := range variables {
		if o.Observe != nil {
			o.Observe(v, gradients[i])
		}
		o.update(scope, g, v, shorten(gradients[i]))
	}
	gomlx.IncrementGlobalStep(g, loss.DType())
}

// clipping returns the factor, at most 1, that makes the norm of all gradients together no longer than the given one.
func clipping(gradients []*Node, longest float64) *Node {
	sum := ReduceAllSum(Square(gradients[0]))
	for _, gradient := range gradients[1:] {
		sum = Add(sum, ReduceAllSum(Square(gradient)))
	}
	factor := Div(Scalar(sum.Graph(), sum.DType(), longest), AddScalar(Sqrt(sum), 1e-6)) // as in PyTorch
	return Min(factor, OnesLike(factor))
}

func (o *Optimizer) update(scope *model.Scope, g *Graph, v *model.Variable, gradient *Node) {
	w, rate := v.NodeValue(g), LearningRate(scope, v).NodeValue(g)
	decay := o.WeightDecay
	if o.Decays != nil && !o.Decays(v) {
		decay = 0
	}
	s := &state{scope: scope, g: g, of: v, mask: sync.OnceValue(func() *Node {
		if o.Mask == nil {
			return nil
		}
		return o.Mask(v, g)
	})}
	next := append([]change{{v, o.Rule.update(s, w, gradient, rate, decay)}}, s.changes...)
	if mask := s.mask(); mask != nil {
		open := BroadcastToShape(ConvertDType(mask, w.DType()), w.Shape())
		open = GreaterThan(open, ZerosLike(open))
		for i, c := range next {
			next[i].value = Where(open, c.value, c.variable.NodeValue(g))
		}
	}
	for _, c := range append(next, s.counts...) {
		c.variable.SetNodeValue(c.value)
	}
}

// state is what a rule keeps for a variable.
type state struct {
	scope   *model.Scope
	g       *Graph
	of      *model.Variable
	mask    func() *Node // of the variable, see [Optimizer]
	changes []change     // in the variable's shape; they do not happen where the mask is 0
	counts  []change
}

type change struct {
	variable *model.Variable
	value    *Node
}

// next changes the state with a name, of the variable's shape and zero before the first step, and returns its new value.
func (s *state) next(name string, change func(old *Node) *Node) *Node {
	return s.set(&s.changes, name, s.of.Shape().Dimensions, change)
}

// count counts a variable's updates, or those of its parts if the mask distinguishes them.
func (s *state) count(name string) *Node {
	by := ScalarOne(s.g, s.of.DType())
	if mask := s.mask(); mask != nil {
		by = ConvertDType(mask, s.of.DType())
	}
	return s.set(&s.counts, name, by.Shape().Dimensions, func(old *Node) *Node { return Add(old, by) })
}

func (s *state) set(list *[]change, name string, dims []int, next func(old *Node) *Node) *Node {
	path := model.JoinPath(model.ScopeSeparator+Scope, name, s.of.Path())
	v := s.scope.Store().VariableWithShape(path, shapes.Make(s.of.DType(), dims...), initializer.Zero).SetTrainable(false)
	value := next(v.NodeValue(s.g))
	*list = append(*list, change{v, value})
	return value
}

// Clear deletes the state and the learning rate.
func (o *Optimizer) Clear(scope *model.Scope) error {
	return scope.Store().DeleteVariablesInScope(model.ScopeSeparator + Scope)
}
