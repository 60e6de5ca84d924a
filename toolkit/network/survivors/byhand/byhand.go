// Package byhand is the paper's block in the engine of package survivors, with its gradient written by hand: it keeps
// the outputs of a block's convolutions, or computes them again, and its loops are those that package kernels has faster
// code for. All else, such as blocks of other kinds, it leaves to package survivors.
//
// Code in the loops' bodies decides what the text of a program is, which package proxy knows by its digest: where it
// says Const, a constant of its own is meant, and sums are outputs of XLA's batch-norm operations, which are faster
// there than reductions (sums.go).
package byhand

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors"
	"stochdepth/toolkit/network/survivors/internal/loops"
)

// Form is the engine for networks of package resnet: it computes open blocks only, and equals [resnet.Textbook], gates,
// gradients and batch-norm averages included. With gates per sample package kernels computes a block for its open images
// only, and XLA for all, as in package survivors.
type Form struct {
	// Recompute computes the convolutions of the paper's block again for its gradient instead of keeping their outputs:
	// a third of the memory for a third more time.
	Recompute bool
	// GPU writes the program for an NVIDIA GPU: sums of batch normalisation are taken in the form that is fast there.
	// The numbers are the same on any device but for rounding.
	GPU bool
}

var _ resnet.Form = Form{}

// Stem implements resnet.Form.
func (f Form) Stem(n *resnet.Network, scope *model.Scope, images *Node) *Node {
	if n.Block != depth.Basic || !scope.IsTraining(images.Graph()) {
		return n.Stem(scope, images)
	}
	return f.stem(n, scope, images)
}

// Train implements residual.Form.
func (f Form) Train(scope *model.Scope, s residual.Stack, h, gates, scales *Node) *Node {
	block, ok := s.Block.(resnet.Basic)
	if !ok {
		return survivors.Form{}.Train(scope, s, h, gates, scales)
	}
	open, weights := residual.OpenBlocks(gates), residual.ImageWeights(gates, s.DType(scope, h))
	open.AssertDims(s.Count)
	parameters := packed(scope, h.Graph(), s)
	l := f.newLoop(block, s.Count, h, parameters[0].DType())
	l.inverted, l.perSample = scales != nil, weights != nil
	order, count := loops.OpenFirst(open)
	out, statistics := l.run(block.Shortcut(h), h, loops.Values{"order": order, "count": count, "scales": scales, "weights": weights}, parameters)
	measured, pixels := make(map[string]*Node), block.Side*block.Side
	for i, name := range []string{"mean1", "variance1", "mean2", "variance2"} {
		measured[name] = Reshape(Slice(statistics, AxisRange(), AxisElem(i)), s.Count, block.Out)
		switch {
		case i%2 == 0:
		case l.perSample:
			measured[name] = resnet.UnbiasedOver(measured[name], residual.WithAxes(ConvertDType(ReduceSum(gates, 0), l.parameterType), 1), pixels)
		default:
			measured[name] = resnet.Unbiased(measured[name], h.Shape().Dimensions[0]*pixels)
		}
	}
	s.MoveAverages(scope, measured, open)
	return out
}

// Test implements residual.Form.
func (f Form) Test(scope *model.Scope, s residual.Stack, h, scales *Node) *Node {
	block, ok := s.Block.(resnet.Basic)
	if !ok {
		return survivors.Form{}.Test(scope, s, h, scales)
	}
	return f.test(scope, s, block, h, scales)
}
