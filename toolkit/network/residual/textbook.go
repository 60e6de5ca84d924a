package residual

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Form is a way to compute a stack.
type Form interface {
	// Train computes the stack in training (Eq. 2), and moves its running averages. h is [batch, ...]. gates is 1 for open
	// and 0 for closed: [Count], one gate for each block and the whole minibatch, as in the paper, or [batch, Count], one for
	// each block and image. Then a block, with its batch statistics, is computed for the images whose gates are open, and
	// the others take the shortcut. If the stack has Images, so many gates of each block are open. Branches are multiplied by
	// scales [Count], unless that is nil.
	Train(scope *model.Scope, s Stack, h, gates, scales *graph.Node) *graph.Node
	// Test computes the stack with all blocks open, each branch multiplied by its scale: by p_l [Count] in the paper
	// (Eq. 5).
	Test(scope *model.Scope, s Stack, h, scales *graph.Node) *graph.Node
}

// Textbook is the form that is written to be read, and against which others are tested: it computes one block after the
// other, also the closed ones, which it multiplies by zero, and leaves the gradients to GoMLX.
type Textbook struct{}

var _ Form = Textbook{}

// Train implements Form.
func (Textbook) Train(scope *model.Scope, s Stack, h, gates, scales *graph.Node) *graph.Node {
	g := h.Graph()
	measured, weights := make(map[string][]*graph.Node), ImageWeights(gates, s.DType(scope, h))
	for i := range s.Count {
		b := s.branch(scope, g, i, true)
		if weights != nil {
			b.Weights = graph.Reshape(graph.Slice(weights, graph.AxisElem(i)), -1)
		}
		f := s.Branch(b, h)
		gate := gateOf(gates, i, f)
		if scales != nil {
			gate = graph.Mul(gate, graph.ConvertDType(at(scales, i), f.DType()))
		}
		h = s.Join(graph.Mul(f, gate), s.Shortcut(scope, h, true, nil))
		for _, p := range s.Averages() {
			measured[p.Name] = append(measured[p.Name], b.Measured(p.Name))
		}
	}
	stacked := make(map[string]*graph.Node, len(measured))
	for _, p := range s.Averages() { // a map's random order would make a different program each time
		stacked[p.Name] = graph.Stack(measured[p.Name], 0)
	}
	s.MoveAverages(scope, stacked, OpenBlocks(gates))
	return h
}

// Test implements Form.
func (Textbook) Test(scope *model.Scope, s Stack, h, scales *graph.Node) *graph.Node {
	for i := range s.Count {
		f := s.Branch(s.branch(scope, h.Graph(), i, false), h)
		f = graph.Mul(f, graph.ConvertDType(at(scales, i), f.DType()))
		h = s.Join(f, s.Shortcut(scope, h, false, nil))
	}
	return h
}

// branch returns the Branch of block i of the stack, with its values without the leading axis.
func (s Stack) branch(scope *model.Scope, g *graph.Graph, i int, training bool) *Branch {
	values := s.values(scope, g, append(s.Trained(), s.Averages()...), i)
	return NewBranch(training, false, values)
}

// OpenBlocks is 1 for each block that is open for any image, [Count]; gates are [Count] or [batch, Count].
func OpenBlocks(gates *graph.Node) *graph.Node {
	if gates.Rank() == 1 {
		return gates
	}
	return graph.ReduceMax(gates, 0)
}

// ImageWeights returns the Weights of all blocks' branches, [Count, batch], for gates [batch, Count], or nil for gates
// [Count].
func ImageWeights(gates *graph.Node, dtype dtypes.DType) *graph.Node {
	if gates.Rank() == 1 {
		return nil
	}
	gates = graph.ConvertDType(gates, dtype)
	batch := float64(gates.Shape().Dimensions[0])
	number := graph.MaxScalar(graph.ReduceAndKeep(gates, graph.ReduceSum, 0), 1)
	return graph.Transpose(graph.Div(graph.MulScalar(gates, batch), number), 0, 1)
}

// gateOf returns the factor of the branch f of block i: a scalar, or [batch, 1, ...] for gates per sample.
func gateOf(gates *graph.Node, i int, f *graph.Node) *graph.Node {
	if gates.Rank() == 1 {
		return graph.ConvertDType(at(gates, i), f.DType())
	}
	gate := graph.Reshape(graph.Slice(gates, graph.AxisRange(), graph.AxisElem(i)), gates.Shape().Dimensions[0])
	return graph.ConvertDType(WithAxes(gate, f.Rank()-1), f.DType())
}

// at returns the scalar i of a vector.
func at(values *graph.Node, i int) *graph.Node {
	return graph.Reshape(graph.Slice(values, graph.AxisElem(i)))
}
