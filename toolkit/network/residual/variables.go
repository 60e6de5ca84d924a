package residual

import (
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Scope is where a network's variables live in the model store.
const Scope = "network"

// Momentum is the weight of the newest minibatch in running averages (torch/nn's default).
const Momentum = 0.1

// Parameter is one of a block's own values.
type Parameter struct {
	Name    string
	Dims    []int // of one block; none for a scalar
	Start   Start
	Average bool // a running average of what the branch measures under this name, which is not trained

	Shortcut bool // the shortcut's, which a closed block has too, and not the branch's
}

// Size is the number of values.
func (p Parameter) Size() int {
	size := 1
	for _, d := range p.Dims {
		size *= d
	}
	return size
}

// Start draws an initial value.
type Start func(rng *rand.Rand) float64

// Constant starts all values at v.
func Constant(v float64) Start { return func(*rand.Rand) float64 { return v } }

// Normal draws from a normal distribution with mean 0.
func Normal(deviation float64) Start {
	return func(rng *rand.Rand) float64 { return deviation * rng.NormFloat64() }
}

// Uniform draws from [-bound, bound).
func Uniform(bound float64) Start {
	return func(rng *rand.Rand) float64 { return bound * (2*rng.Float64() - 1) }
}

// Stack is a number of blocks of equal shape, one after the other.
type Stack struct {
	Name  string // scope of its variables, inside Scope
	Count int    // blocks in it, at least 1
	Block Block

	// Images, unless nil, says for how many images of the minibatch each block is open: gates [batch, Count] are those of
	// sub-batches then (depth.Survival.Images).
	Images []int
}

// Trained lists the parameters of the block's branch, Averages its running averages, and OfShortcut all that its shortcut
// has.
func (s Stack) Trained() []Parameter {
	return s.which(func(p Parameter) bool { return !p.Shortcut && !p.Average })
}
func (s Stack) Averages() []Parameter { // see Trained
	return s.which(func(p Parameter) bool { return !p.Shortcut && p.Average })
}
func (s Stack) OfShortcut() []Parameter { // see Trained
	return s.which(func(p Parameter) bool { return p.Shortcut })
}

func (s Stack) which(is func(Parameter) bool) (list []Parameter) {
	for _, p := range s.Block.Parameters() {
		if is(p) {
			list = append(list, p)
		}
	}
	return list
}

// Shortcut computes id(h) of each block of the stack, and in training moves the running averages that it measures, whatever
// the gates: closed blocks have their shortcut too (Eq. 3). A shortcut with parameters is that of a stack of one block.
// normalize, unless nil, is the engine's batch normalisation.
func (s Stack) Shortcut(scope *model.Scope, h *graph.Node, training bool, normalize Normalizer) *graph.Node {
	own := s.OfShortcut()
	if len(own) > 0 && s.Count > 1 {
		panic(fmt.Errorf("the blocks of %s have a shortcut with parameters: a stack of them must be of one block", s.Name))
	}
	b := NewBranch(training, false, s.values(scope, h.Graph(), own, 0))
	b.Normalize = normalize
	y := s.Block.Shortcut(b, h)
	for _, p := range own {
		if p.Average && training {
			MoveAverage(scope, s.Name+"/"+p.Name, graph.InsertAxes(b.Measured(p.Name), 0), nil)
		}
	}
	return y
}

// values returns the given parameters of block i of the stack by name, without the leading axis.
func (s Stack) values(scope *model.Scope, g *graph.Graph, list []Parameter, i int) map[string]*graph.Node {
	values := make(map[string]*graph.Node)
	for _, p := range list {
		values[p.Name] = graph.Reshape(graph.Slice(s.Value(scope, g, p), graph.AxisRange(i, i+1)), p.Dims...)
	}
	return values
}

// Value returns the node of a parameter or running average of the stack, [Count, ...].
func (s Stack) Value(scope *model.Scope, g *graph.Graph, p Parameter) *graph.Node {
	return Variable(scope, s.Name+"/"+p.Name).NodeValue(g)
}

// DType returns the type of the stack's parameters, or that of its activations h if it has none.
func (s Stack) DType(scope *model.Scope, h *graph.Node) dtypes.DType {
	if trained := s.Trained(); len(trained) > 0 {
		return s.Value(scope, h.Graph(), trained[0]).DType()
	}
	return h.DType()
}

// MoveAverages moves the stack's running averages a step towards the values that its blocks have measured, [Count, ...] by
// name. open [Count] is 1 for the blocks that were computed; only their averages move. nil stands for all blocks.
func (s Stack) MoveAverages(scope *model.Scope, measured map[string]*graph.Node, open *graph.Node) {
	for _, p := range s.Averages() {
		MoveAverage(scope, s.Name+"/"+p.Name, measured[p.Name], open)
	}
}

// MoveAverage moves the running average with a name within Scope a step towards the measured value, of the same shape. open
// is 1 for those entries along its first axis that were measured; nil stands for all.
func MoveAverage(scope *model.Scope, name string, measured, open *graph.Node) {
	v := Variable(scope, name)
	old := v.NodeValue(measured.Graph())
	step := graph.MulScalar(graph.Sub(graph.ConvertDType(measured, old.DType()), old), Momentum)
	if open != nil {
		step = graph.Mul(step, WithAxes(graph.ConvertDType(open, old.DType()), old.Rank()-1))
	}
	v.SetNodeValue(graph.StopGradient(graph.Add(old, step)))
}

// WithAxes appends axes of length one to x.
func WithAxes(x *graph.Node, axes int) *graph.Node {
	dims := append([]int{}, x.Shape().Dimensions...)
	for range axes {
		dims = append(dims, 1)
	}
	return graph.Reshape(x, dims...)
}

// Creator creates the variables of a network in a store, one after the other, with values drawn from Rand, and keeps the
// first error. The same draws give the same values on every device.
type Creator struct {
	Store *model.Store
	DType dtypes.DType // Float32 or Float64
	Rand  *rand.Rand

	err error
}

// Stack creates the variables of a stack: each parameter [Count, ...].
func (c *Creator) Stack(s Stack) {
	for _, p := range s.Block.Parameters() {
		stacked := p
		stacked.Dims = append([]int{s.Count}, p.Dims...)
		c.Create(s.Name, stacked)
	}
}

// Create creates the variable scope/p.Name, or p.Name if scope is empty.
func (c *Creator) Create(scope string, p Parameter) {
	if scope != "" {
		p.Name = scope + "/" + p.Name
	}
	values := make([]float64, p.Size())
	for i := range values {
		values[i] = p.Start(c.Rand)
	}
	v, err := c.Store.CreateVariable(path(p.Name), Tensor(c.DType, values, p.Dims...))
	if err != nil {
		if c.err == nil {
			c.err = err
		}
		return
	}
	v.SetTrainable(!p.Average)
}

// Err returns the first error.
func (c *Creator) Err() error { return c.err }

// Tensor makes a tensor of type Float64 or Float32, as variables are, from a copy of the values; without dims it is a
// scalar.
func Tensor(dtype dtypes.DType, values []float64, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(values, dims...)
	}
	converted := make([]float32, len(values))
	for i, v := range values {
		converted[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(converted, dims...)
}

// Variable returns a variable of the network by its name within Scope. It panics if it is missing.
func Variable(scope *model.Scope, name string) *model.Variable {
	v := scope.Store().GetVariable(path(name))
	if v == nil {
		panic(fmt.Errorf("the model store has no variable %q: initialize the network first", name))
	}
	return v
}

func path(name string) string { return model.JoinPath(model.ScopeSeparator+Scope, name) }
