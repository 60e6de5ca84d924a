package resnet

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/residual"
)

// Operations on rows [rows, width], each in two forms. In a loop for a CPU, XLA's code for sums over rows or columns adds one
// number after the other, and GoMLX's gradients have more such sums than they need, while products are calls of a fast
// library. So there sums are products with ones, and the gradients of softmax and layer normalisation are written by hand,
// from values that are kept. Elsewhere all is as GoMLX has it.

// byProducts reports whether the form for a loop on a CPU is wanted.
func byProducts(p *residual.Branch) bool { return p.Training && p.InLoop && p.CPU }

// keep is p.Keep in that form: whether it pays elsewhere has not been measured.
func keep(p *residual.Branch, y *Node) *Node {
	if byProducts(p) {
		return p.Keep(y)
	}
	return y
}

// perRow repeats v [width] in each of so many rows: [rows, width]. The gradient is a sum over the rows.
func perRow(p *residual.Branch, v *Node, rows int) *Node {
	width := v.Shape().Size()
	v = Reshape(v, 1, width)
	y := BroadcastToDims(v, rows, width)
	if !byProducts(p) {
		return y
	}
	// With one row of ones, the product in the gradient would not be a call of the library.
	eighths := MulScalar(Ones(v.Graph(), shapes.Make(v.DType(), rows, 8)), 1.0/8)
	return residual.Instead(Dot(eighths, BroadcastToDims(v, 8, width)).Product(), y)
}

// rowSum sums x [rows, width] over the width: [rows, 1].
func rowSum(x *Node) *Node {
	return Dot(x, Ones(x.Graph(), shapes.Make(x.DType(), x.Shape().Dimensions[1], 1))).Product()
}

func rowMean(x *Node) *Node { return MulScalar(rowSum(x), 1/float64(x.Shape().Dimensions[1])) }

// withGradient is value, which was computed from x and has its shape; gradient returns the gradient of x from that of value.
func withGradient(x, value *Node, gradient func(dvalue *Node) *Node) *Node {
	return residual.Instead(IdentityWithCustomGradient(x, func(_, d *Node) *Node { return gradient(d) }), value)
}

// softmax is exp(x)/sum(exp(x)) along the last axis of x, of any shape. Its gradient is y dy - y sum(y dy).
func softmax(p *residual.Branch, x *Node) *Node {
	if !byProducts(p) {
		return Softmax(x, -1)
	}
	shape := x.Shape()
	width := shape.Dimensions[shape.Rank()-1]
	x = Reshape(x, shape.Size()/width, width)
	e := Exp(Sub(x, ReduceAndKeep(x, ReduceMax, -1)))
	y := p.Keep(Mul(e, Inverse(rowSum(e))))
	y = withGradient(x, y, func(dy *Node) *Node {
		each := Mul(y, dy)
		return Sub(each, Mul(y, rowSum(each)))
	})
	return Reshape(y, shape.Dimensions...)
}

// normalizeEach is (x - mean)/sqrt(variance + epsilon) in each row of x [rows, width]. Its gradient is
//
//	dx = (dy - mean(dy) - y mean(y dy))/sqrt(variance + epsilon)
func normalizeEach(p *residual.Branch, x *Node, epsilon float64) *Node {
	if !byProducts(p) {
		centred := Sub(x, ReduceAndKeep(x, ReduceMean, -1))
		return Div(centred, deviation(ReduceAndKeep(Square(centred), ReduceMean, -1), epsilon))
	}
	centred := Sub(x, p.Keep(rowMean(x)))
	inverse := p.Keep(Inverse(deviation(rowMean(Square(centred)), epsilon)))
	y := Mul(centred, inverse)
	return withGradient(x, y, func(dy *Node) *Node {
		return Mul(Sub(Sub(dy, rowMean(dy)), Mul(y, rowMean(Mul(y, dy)))), inverse)
	})
}
