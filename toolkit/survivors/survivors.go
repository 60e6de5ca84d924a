// Package survivors is the engine: the network of package resnet, with the same variables, computing
// open blocks only. A minibatch's cost follows its open blocks, and the compiled program has the same
// size at 20 layers as at 1202.
//
// Compilers of static graphs cannot leave out a block by a gate's value: masking it computes it all
// the same. But the blocks of a stage have equal shapes and stacked parameters, so a loop can visit
// just the open ones by their indices (Eq. 2 with b_l = 1; where b_l = 0 the block is the identity,
// Eq. 3). Forward, the loop saves what backward needs; backward runs in reverse over the same
// indices. The loop is one node of the graph whose gradient is registered with GoMLX, so trainers and
// optimizers see an ordinary differentiable network.
package survivors

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/resnet"
)

// Forward builds the whole network in training or test mode, as the scope says, and returns the
// logits [batch, classes]. It equals n.Forward, gates, gradients and batch-norm averages included.
//
// images is [batch, 32, 32, 3], normalised. gates [L], used in training only, is 1 for open and 0 for
// closed. Gates per sample leave no block out, so they exist in the textbook form only.
func Forward(n *resnet.Network, scope *model.Scope, images, gates *Node) *Node {
	var h *Node
	if scope.IsTraining(images.Graph()) {
		h = stem(n, scope, images)
	} else {
		h = n.Stem(scope, images)
	}
	for _, s := range n.Stages() {
		if scope.IsTraining(images.Graph()) {
			h = train(n, scope, s, h, gates)
		} else {
			h = test(n, scope, s, h)
		}
	}
	return n.Head(scope, h)
}

// train runs the open blocks of a stage: h [batch, side, side, in] becomes
// [batch, s.Side, s.Side, s.Out].
func train(n *resnet.Network, scope *model.Scope, s resnet.Stage, h, gates *Node) *Node {
	g := h.Graph()
	gates.AssertDims(len(n.Survival))
	open := Slice(gates, AxisRange(s.First, s.First+s.Count))
	l := newLoop(g, n, s, h.Shape().Dimensions[0])
	order, count := openFirst(open)
	var scales *Node
	if n.Inverted {
		scales = n.TrainScales(scope, g, s)
	}
	out, statistics := l.run(n.Shortcut(s, h), h, order, count, scales, packed(resnet.Parameters(scope, g, s)))
	values := out.Shape().Size() / s.Out
	statistic := func(i int) *Node {
		return Reshape(Slice(statistics, AxisRange(), AxisElem(i)), s.Count, s.Out)
	}
	resnet.UpdateAverages(scope, s.Name, "1", statistic(0), statistic(1), values, open)
	resnet.UpdateAverages(scope, s.Name, "2", statistic(2), statistic(3), values, open)
	return out
}

// openFirst turns the gates [count] of a stage, 1 or 0, into the indices of its open blocks, in order
// and followed by zeros, and their number. Both are Int32.
func openFirst(open *Node) (order, number *Node) {
	g, count := open.Graph(), open.Shape().Dimensions[0]
	open = ConvertDType(open, int32Type)
	number = ReduceSum(open)
	square := open.Shape().Clone()
	square.Dimensions = []int{count, count}
	row, column := Iota(g, square, 0), Iota(g, square, 1)
	// position[i] is the number of open blocks before block i.
	before := ConvertDType(LessThan(column, row), int32Type)
	position := ReduceSum(Mul(before, Reshape(open, 1, count)), 1)
	// order[k] is the i that is open and has position k.
	chosen := Mul(ConvertDType(Equal(Reshape(position, 1, count), row), int32Type), Reshape(open, 1, count))
	return ReduceSum(Mul(chosen, column), 1), number
}
