package resnet

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/residual"
)

// SurvivalVariable names the variable with the current survival probabilities, [L], by which branches are scaled. Training
// changes it if the recipe has a schedule; it is saved with the weights.
const SurvivalVariable = "survival"

// ScaleInit says how the scales of batch normalisation start.
type ScaleInit string

// The ways to start the scales: at one; uniformly in (0, 1), as Torch7's nn did, which the published runs used; or normally
// with mean one and deviation 0.002.
const (
	ScaleOne     ScaleInit = "one"
	ScaleUniform ScaleInit = "uniform"
	ScaleNormal  ScaleInit = "normal"
)

// start returns how the scales start. If s is unknown that is at one, but then Initialize returns an error.
func (s ScaleInit) start() residual.Start {
	switch s {
	case ScaleUniform:
		return func(rng *rand.Rand) float64 { return rng.Float64() }
	case ScaleNormal:
		return func(rng *rand.Rand) float64 { return 1 + 0.002*rng.NormFloat64() }
	}
	return residual.Constant(1)
}

// Initialize creates the network's variables in the store, with the initial values of the authors' code: convolutions
// Kaiming normal with fan-in, deviation sqrt(2/(9 in)); batch-norm scales as n.Scale says, offsets zero; the linear layer
// uniform within 1/sqrt(64). The same seed gives the same weights on every device.
//
// The authors' convolutions also have biases, which are left out here: the batch normalisation after a convolution
// subtracts its bias again. So a bias that starts at zero has a gradient of zero and stays zero.
//
// The variables of the paper's network are listed below; those of a stage have a leading axis of Count, and batch-norm
// averages are not trainable:
//
//	stem/kernel [3, 3, 3, 16]; stem/{scale, offset, mean, variance} [16]
//	<stage>/kernel1 [Count, 3, 3, In, Out]; <stage>/kernel2 [Count, 3, 3, Out, Out]
//	<stage>/{scale, offset, mean, variance}{1, 2} [Count, Out]
//	linear/weights [64, classes]; linear/bias [classes]
//	survival [L]: the current probabilities, n.Survival unless a schedule changes them; not trainable
func (n *Network) Initialize(store *model.Store, seed int64) error {
	switch n.Scale {
	case "", ScaleOne, ScaleUniform, ScaleNormal:
	default:
		return fmt.Errorf("unknown start of the batch-norm scales %q: use one, uniform or normal", n.Scale)
	}
	c := &residual.Creator{Store: store, DType: n.ParameterDType(), Rand: depth.Rand(seed, depth.InitialWeights, 0)}
	create := func(p part) {
		for _, v := range p.parameters {
			c.Create(p.name, v)
		}
	}
	create(n.kind.stem(n))
	for _, s := range n.Stages() {
		c.Stack(s.Stack)
	}
	head := n.kind.head(n)
	create(head)
	features := head.output[0]
	uniform := residual.Uniform(1 / math.Sqrt(float64(features)))
	c.Create("linear", residual.Parameter{Name: "weights", Dims: []int{features, n.Classes}, Start: uniform})
	c.Create("linear", residual.Parameter{Name: "bias", Dims: []int{n.Classes}, Start: uniform})
	l := -1
	survival := func(*rand.Rand) float64 { l++; return n.Survival[l] }
	c.Create("", residual.Parameter{Name: SurvivalVariable, Dims: []int{len(n.Survival)}, Start: survival, Average: true})
	return c.Err()
}

// Names lists a network's variables from input to output, except for the survival probabilities. Those of a stage are
// stacked over its blocks.
type Names struct {
	Stem, Head []string
	Stages     [][]string // as Network.Stages
}

// Variables lists the names of the network's variables.
func (n *Network) Variables() (v Names) {
	names := func(scope string, list []residual.Parameter) (names []string) {
		for _, p := range list {
			names = append(names, scope+"/"+p.Name)
		}
		return names
	}
	stem, head := n.kind.stem(n), n.kind.head(n)
	v.Stem = names(stem.name, stem.parameters)
	for _, s := range n.Stages() {
		v.Stages = append(v.Stages, names(s.Name, s.Block.Parameters()))
	}
	v.Head = append(names(head.name, head.parameters), "linear/weights", "linear/bias")
	return v
}
