// Package byhand computes the paper's block as package survivors does, but with a gradient written by hand: it keeps the
// outputs of a block's convolutions, or computes them again. Package kernels has faster code for its loops. Blocks of other
// kinds it leaves to package survivors, except for their batch normalisation, whose gradient is written by hand too.
//
// Package proxy knows the loops' bodies by digests of their text in the program, which follows from the code here. So
// where this code says Const, it means a new constant, and sums are outputs of XLA's batch-norm operations, which are
// faster there than reductions (sums.go).
package byhand

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors"
	"stochdepth/toolkit/network/survivors/internal/loops"
)

// Form is the engine for networks of package resnet: it computes open blocks only, and gives the same as
// [resnet.Textbook], gradients and batch-norm averages included. With gates per sample package kernels computes a block
// for its open images only, but XLA for all images, as in package survivors. So sub-batches are left to that package, except
// with Kernels.
type Form struct {
	// Recompute computes the convolutions of a block again for its gradient instead of keeping their outputs: with the
	// paper's a third of the memory for a third more time.
	Recompute bool
	// GPU writes the program for an NVIDIA GPU, with the sums of batch normalisation in the form that is fast there.
	// Except for rounding the numbers are the same on any device.
	GPU bool
	// Kernels says that package kernels will compute the program's loops of the paper's block. Then they need no others for
	// sub-batches.
	Kernels bool
}

var _ resnet.Form = Form{}

// known returns the paper's block if the stack has it, in a shape that the code here is for: with a shortcut that has no
// parameters, sides that halve, and images no smaller than a window.
func known(s residual.Stack, h *Node) (block resnet.Basic, ok bool) {
	block, ok = s.Block.(resnet.Basic)
	return block, ok && !block.Plain && len(s.OfShortcut()) == 0 && h.Shape().Dimensions[1] == block.Side*block.Stride && block.Side >= 3
}

// normalizer is how blocks of other kinds, stems and shortcuts are normalised: on GPUs as package resnet does it, since it takes
// their variances in two passes over the memory, which round less than XLA's sums of squares.
func (f Form) normalizer() residual.Normalizer {
	if f.GPU {
		return nil
	}
	return f.normalize
}

// normalize is a [residual.Normalizer] for blocks of other kinds, and for stems and shortcuts. It keeps the mean and the
// variance, so the gradient does not take these sums again.
func (f Form) normalize(b *residual.Branch, x, scale, offset *Node, rectified bool) (y, mean, variance *Node) {
	s := f.sums(x.Graph())
	mean, variance = s.moments(ConvertDType(x, scale.DType()))
	mean, variance = b.Keep(mean), b.Keep(variance)
	y = loops.WithGradient(func(of []*Node) *Node {
		y := resnet.Normalize(of[0], of[1], of[2], of[3], of[4])
		if rectified {
			y = relu(y)
		}
		return y
	}, func(dy *Node) []*Node {
		if rectified {
			dy = positive(dy.Graph(), y, dy)
		}
		dx, dscale, doffset := normalizeGradient(s, x, scale, mean, variance, nil, dy)
		return []*Node{dx, dscale, doffset, nil, nil}
	}, x, scale, offset, mean, variance)
	return y, mean, variance
}

// Train implements residual.Form.
func (f Form) Train(scope *model.Scope, s residual.Stack, h, gates, scales *Node) *Node {
	block, ok := known(s, h)
	if !ok || s.Images != nil && !f.Kernels {
		return survivors.Form{Recompute: f.Recompute, Normalize: f.normalizer(), CPU: !f.GPU}.Train(scope, s, h, gates, scales)
	}
	open, weights := residual.OpenBlocks(gates), residual.ImageWeights(gates, s.DType(scope, h))
	open.AssertDims(s.Count)
	parameters := packed(scope, h.Graph(), s)
	l := f.newLoop(block, s.Count, h, parameters[0].DType())
	l.inverted, l.perSample = scales != nil, weights != nil
	order, count := loops.OpenFirst(open)
	initial := loops.Values{"order": order, "count": count, "scales": scales, "weights": weights}
	out, statistics := l.run(s.Shortcut(scope, h, true, nil), h, initial, parameters)
	measured, pixels := make(map[string]*Node), block.Side*block.Side
	for i, name := range statisticNames {
		measured[name] = Reshape(Slice(statistics, AxisRange(), AxisElem(i)), s.Count, block.Out)
		switch {
		case i%2 == 0:
		case l.perSample:
			images := residual.WithAxes(ConvertDType(ReduceSum(gates, 0), l.parameterType), 1)
			measured[name] = resnet.UnbiasedOver(measured[name], images, pixels)
		default:
			measured[name] = resnet.Unbiased(measured[name], h.Shape().Dimensions[0]*pixels)
		}
	}
	s.MoveAverages(scope, measured, open)
	return out
}
