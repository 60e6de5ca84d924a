package resnet

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/depth"
)

// SurvivalVariable names the variable of the survival probabilities in force, [L]: what branches are
// scaled by. Training changes it where the recipe has a schedule; it is saved with the weights.
const SurvivalVariable = "survival"

// Scope is where a network's variables live in the model store.
const Scope = "network"

// ScaleInit says how batch normalisation's scales start.
type ScaleInit string

// The ways to start the scales: at one; as Torch7's nn did, uniformly in (0, 1), which the published
// runs used; or normally with mean one and deviation 0.002.
const (
	ScaleOne     ScaleInit = "one"
	ScaleUniform ScaleInit = "uniform"
	ScaleNormal  ScaleInit = "normal"
)

// Initialize creates the network's variables in the store, with the initial values of the authors'
// code: convolutions Kaiming normal with fan-in, deviation sqrt(2/(9 in)); batch-norm scales as
// asked, offsets zero; the linear layer uniform within 1/sqrt(64). The same seed gives the same
// weights on every device.
//
// The authors' convolutions also have biases. Each is followed by a batch normalisation, which
// subtracts it again: it starts at zero, its gradient is zero, it stays zero. It is left out here.
//
// Variables, with a leading axis of Count for each stage (batch-norm averages are not trainable):
//
//	stem/kernel [3, 3, 3, 16]; stem/{scale, offset, mean, variance} [16]
//	<stage>/kernel1 [Count, 3, 3, In, Out]; <stage>/kernel2 [Count, 3, 3, Out, Out]
//	<stage>/{scale, offset, mean, variance}{1, 2} [Count, Out]
//	linear/weights [64, classes]; linear/bias [classes]
//	survival [L]: the probabilities in force, n.Survival unless a schedule changes them; not trainable
func (n *Network) Initialize(store *model.Store, seed int64, scales ScaleInit) error {
	rng := depth.Rand(seed, depth.InitialWeights, 0)
	scale, err := scaleSampler(scales, rng)
	if err != nil {
		return err
	}
	c := creator{store: store, dtype: n.ParameterDType()}
	kaiming := func(in int) func() float64 {
		deviation := math.Sqrt(2 / float64(9*in))
		return func() float64 { return deviation * rng.NormFloat64() }
	}
	batchNorm := func(scope, suffix string, dims ...int) {
		c.create(scope+"/scale"+suffix, scale, dims...)
		c.create(scope+"/offset"+suffix, constant(0), dims...)
		c.create(scope+"/mean"+suffix, constant(0), dims...).SetTrainable(false)
		c.create(scope+"/variance"+suffix, constant(1), dims...).SetTrainable(false)
	}
	c.create("stem/kernel", kaiming(Channels), 3, 3, Channels, Filters[0])
	batchNorm("stem", "", Filters[0])
	for _, s := range n.Stages() {
		c.create(s.Name+"/kernel1", kaiming(s.In), s.Count, 3, 3, s.In, s.Out)
		batchNorm(s.Name, "1", s.Count, s.Out)
		c.create(s.Name+"/kernel2", kaiming(s.Out), s.Count, 3, 3, s.Out, s.Out)
		batchNorm(s.Name, "2", s.Count, s.Out)
	}
	last := Filters[depth.Groups-1]
	bound := 1 / math.Sqrt(float64(last))
	uniform := func() float64 { return bound * (2*rng.Float64() - 1) }
	c.create("linear/weights", uniform, last, n.Classes)
	c.create("linear/bias", uniform, n.Classes)
	l := -1
	c.create(SurvivalVariable, func() float64 { l++; return n.Survival[l] }, len(n.Survival)).SetTrainable(false)
	return c.err
}

func constant(v float64) func() float64 { return func() float64 { return v } }

func scaleSampler(init ScaleInit, rng *rand.Rand) (func() float64, error) {
	switch init {
	case ScaleOne, "":
		return constant(1), nil
	case ScaleUniform:
		return rng.Float64, nil
	case ScaleNormal:
		return func() float64 { return 1 + 0.002*rng.NormFloat64() }, nil
	}
	return nil, fmt.Errorf("unknown start of the batch-norm scales %q: use one, uniform or normal", init)
}

// creator makes variables one after the other and keeps the first error.
type creator struct {
	store *model.Store
	dtype dtypes.DType
	err   error
}

func (c *creator) create(name string, sample func() float64, dims ...int) *model.Variable {
	values := make([]float64, shapes.Make(c.dtype, dims...).Size())
	for i := range values {
		values[i] = sample()
	}
	var t *tensors.Tensor
	if c.dtype == dtypes.Float64 {
		t = tensors.FromFlatDataAndDimensions(values, dims...)
	} else {
		narrow := make([]float32, len(values))
		for i, v := range values {
			narrow[i] = float32(v)
		}
		t = tensors.FromFlatDataAndDimensions(narrow, dims...)
	}
	v, err := c.store.CreateVariable(path(name), t)
	if err != nil {
		c.err = errorOf(c.err, err)
		return &model.Variable{}
	}
	return v
}

func errorOf(first, next error) error {
	if first != nil {
		return first
	}
	return next
}

// Variable returns a variable of the network by its name within Scope. It panics if it is missing.
func Variable(scope *model.Scope, name string) *model.Variable {
	v := scope.Store().GetVariable(path(name))
	if v == nil {
		panic(fmt.Errorf("the model store has no variable %q: call Network.Initialize first", name))
	}
	return v
}

// value returns the node of a variable of the network.
func value(scope *model.Scope, g *graph.Graph, name string) *graph.Node {
	return Variable(scope, name).NodeValue(g)
}

// Parameters returns the nodes of a stage's trainable parameters, stacked over its blocks.
func Parameters(scope *model.Scope, g *graph.Graph, s Stage) (nodes [6]*graph.Node) {
	for i, name := range []string{"kernel1", "scale1", "offset1", "kernel2", "scale2", "offset2"} {
		nodes[i] = value(scope, g, s.Name+"/"+name)
	}
	return nodes
}

// Averages returns the nodes of a stage's running averages: mean1, variance1, mean2, variance2, each
// [Count, Out].
func Averages(scope *model.Scope, g *graph.Graph, s Stage) (nodes [4]*graph.Node) {
	for i, name := range []string{"mean1", "variance1", "mean2", "variance2"} {
		nodes[i] = value(scope, g, s.Name+"/"+name)
	}
	return nodes
}

func path(name string) string { return model.JoinPath(model.ScopeSeparator+Scope, name) }
