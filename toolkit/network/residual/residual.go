// Package residual says what a residual block is, whatever it computes:
//
//	H_l = Join(b_l f_l(H_{l-1}), id(H_{l-1}))
//
// with a branch f, a shortcut id, and a gate b that stochastic depth opens or closes (Eq. 2 of Huang et al. 2016). A
// [Block] defines f in GoMLX's operations, and lists what it needs: parameters, and running averages of what it measures.
// A [Stack] is a number of blocks of equal shape, and a [Form] computes it: [Textbook], in this package, computes one
// block after the other, multiplies each by its gate, and has GoMLX's own gradients; package survivors computes only the
// open blocks. Both use the same branch function and the same variables, so they compute the same network.
//
//	type mine struct {
//		residual.Identity     // H = f(H) + H
//		width int
//	}
//
//	func (m mine) Parameters() []residual.Parameter {
//		return []residual.Parameter{{Name: "weights", Dims: []int{m.width, m.width}, Start: residual.Normal(0.02)}}
//	}
//
//	func (m mine) Branch(b *residual.Branch, x *graph.Node) *graph.Node { // x is [batch, width]
//		return graph.Tanh(graph.Dot(x, b.Value("weights")).Product())
//	}
package residual

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Block is a kind of residual block, of a given shape. All its methods but Parameters build graphs, and may panic as
// GoMLX does.
type Block interface {
	// Parameters lists each block's own values: trained ones and running averages.
	Parameters() []Parameter
	// Branch is f(x). It gets its parameters from b. It must use no node of the graph except b's values and x, and draw no
	// random numbers: an engine builds it inside a loop, and a second time for its gradient. x has the type of activations,
	// parameters have their own type, which is float32 under bfloat16; the result has x's type.
	Branch(b *Branch, x *graph.Node) *graph.Node
	// Shortcut is id(x): x itself, or, in a stack of one block, x brought to another shape. It gets the parameters that are
	// marked as the shortcut's from b, and is computed for every image, whatever the gate.
	Shortcut(b *Branch, x *graph.Node) *graph.Node
	// Join makes the block's output from its branch, which is already multiplied by gate and scale, and its shortcut. A
	// closed block must be its shortcut (Eq. 3): Join of zeros and a shortcut must be that shortcut, for every output of a
	// block. Only where the shortcut has parameters, and so may be anything, the output is Join of zeros and shortcut.
	Join(branch, shortcut *graph.Node) *graph.Node
}

// Sum gives a block that embeds it the join f + id.
type Sum struct{}

// Join returns branch + shortcut.
func (Sum) Join(branch, shortcut *graph.Node) *graph.Node { return graph.Add(branch, shortcut) }

// Identity gives a block that embeds it the shortcut x and the join f + x.
type Identity struct{ Sum }

// Shortcut returns x.
func (Identity) Shortcut(_ *Branch, x *graph.Node) *graph.Node { return x }

// Branch gives a block's branch function the block's values, or its shortcut those of the shortcut.
type Branch struct {
	// Training says whether batch statistics are to be used and measured, or running averages to be used.
	Training bool
	// InLoop says that the branch is built inside a loop, where some operations are better written in another way.
	InLoop bool
	// CPU says that such a loop is for a CPU, where XLA's sums over rows or columns are slow, and products are not.
	CPU bool
	// Weights says how much each image counts in statistics over the minibatch: 0 if its gate is closed, and the same for
	// all others, so that the mean is 1; 0 for all if no gate is open. It is [batch], in the parameters' type (Stack.DType).
	// If it is nil, all images that the branch gets count the same.
	Weights *graph.Node
	// Keep returns what it gets: the output of an operation that takes much longer than to read it from memory, such as a
	// convolution. An engine that builds the branch a second time for its gradient may set Keep to save the output the first
	// time, and to return the saved one instead the second time.
	Keep func(y *graph.Node) *graph.Node

	// Normalize, unless nil, is the engine's own batch normalisation in training, where Weights is nil.
	Normalize Normalizer

	values, measured map[string]*graph.Node
}

// Normalizer is batch normalisation of x [..., channels], followed by ReLU if it is rectified: by the mean and the variance of
// the minibatch, which it returns, both [channels] like scale and offset. y has x's shape and type. No gradient flows
// through mean and variance.
type Normalizer func(b *Branch, x, scale, offset *graph.Node, rectified bool) (y, mean, variance *graph.Node)

// NewBranch returns the Branch of a block with the given values, keyed by the names of its parameters. It is for forms.
func NewBranch(training, inLoop bool, values map[string]*graph.Node) *Branch {
	return &Branch{Training: training, InLoop: inLoop, Keep: func(y *graph.Node) *graph.Node { return y }, values: values,
		measured: make(map[string]*graph.Node)}
}

// Value returns this block's parameter, or at test its running average. It panics if the block has none of that name.
func (b *Branch) Value(name string) *graph.Node {
	v := b.values[name]
	if v == nil {
		panic(fmt.Errorf("the block's Parameters have no %s", name))
	}
	return v
}

// Measure sets, in training, the value towards which the running average of this name moves; it has the average's shape.
// No gradient flows through it.
func (b *Branch) Measure(name string, value *graph.Node) {
	b.measured[name] = graph.StopGradient(value)
}

// Measured returns the value measured under a name, or panics if there is none. It is for forms.
func (b *Branch) Measured(name string) *graph.Node {
	v := b.measured[name]
	if v == nil {
		panic(fmt.Errorf("the block's Branch measures no %s for the running average of this name", name))
	}
	return v
}
