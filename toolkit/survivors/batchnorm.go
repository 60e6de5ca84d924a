package survivors

import (
	"github.com/gomlx/compute/distributed"
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/resnet"
)

// Batch normalisation inside the loops. Sums over batch, height and width are taken with a row of
// pixels and its channels as one long axis, [batch*height, width*channels], which XLA's CPU code adds
// up several times faster than rows of 16 channels; the width is summed last, by a product with ones.
// Since closures cannot reduce, the long sums are outputs of XLA's own batch-norm operations, whose
// other outputs are not used and so not computed. XLA does not divide these operations between devices: where several
// share the minibatch, the long sums are products with ones.

// normalize is batch normalisation in training: y as x, and the batch's mean and variance [channels].
func (l *loop) normalize(x, scale, offset *Node) (y, mean, variance *Node) {
	g, rows := x.Graph(), l.rows(x)
	ones := l.perRow(BroadcastToShape(ConstAsDType(g, l.wide, 1.0), scale.Shape()))
	var rowMean, rowVariance *Node
	if divided(g) {
		values := ConstAsDType(g, l.wide, 1/float64(rows.Shape().Dimensions[0]))
		rowMean = Mul(total(rows), values)
		rowVariance = Mul(total(Square(Sub(rows, Reshape(rowMean, 1, rowMean.Shape().Size())))), values)
	} else {
		_, rowMean, rowVariance = InternalBatchNormForTraining(rows, ones, ones, resnet.Epsilon, -1)
	}
	mean = l.overWidth(rowMean, 1/float64(l.stage.Side))
	between := Square(Sub(rowMean, l.perRow(mean)))
	variance = l.overWidth(Add(rowVariance, between), 1/float64(l.stage.Side))
	return l.applyNormalization(x, scale, offset, mean, variance), mean, variance
}

// applyNormalization normalises x by a given mean and variance [channels].
func (l *loop) applyNormalization(x, scale, offset, mean, variance *Node) *Node {
	if g := x.Graph(); divided(g) {
		factor := Div(scale, Sqrt(Add(variance, ConstAsDType(g, l.wide, resnet.Epsilon))))
		return ConvertDType(Add(Mul(Sub(ConvertDType(x, l.wide), perChannel(mean)), perChannel(factor)), perChannel(offset)), x.DType())
	}
	y := InternalBatchNormForInference(ConvertDType(x, l.wide), scale, offset, mean, variance, resnet.Epsilon, -1)
	return ConvertDType(y, x.DType())
}

// normalizeGradient is the gradient of normalize: of x, as x, and of scale and offset [channels].
//
//	dx = factor (dy - sum(dy)/M - x' sum(dy x')/M),  x' = (x - mean)/deviation,  factor = scale/deviation
//
// is linear in dy and x, with coefficients a channel.
func (l *loop) normalizeGradient(x, scale, mean, variance, dy *Node) (dx, dscale, doffset *Node) {
	g, rows := x.Graph(), l.rows(x)
	ones := l.perRow(BroadcastToShape(ConstAsDType(g, l.wide, 1.0), scale.Shape()))
	var rowScale, rowOffset *Node
	if divided(g) {
		width := l.stage.Side * l.stage.Out
		deviations := Sqrt(Add(l.perRow(variance), ConstAsDType(g, l.wide, resnet.Epsilon)))
		rowScale = Div(total(Mul(l.rows(dy), Sub(rows, Reshape(l.perRow(mean), 1, width)))), deviations)
		rowOffset = total(l.rows(dy))
	} else {
		_, rowScale, rowOffset = InternalBatchNormGradient(rows, ones, l.perRow(mean), l.perRow(variance), l.rows(dy), resnet.Epsilon, -1)
	}
	dscale, doffset = l.overWidth(rowScale, 1), l.overWidth(rowOffset, 1)

	values := ConstAsDType(g, l.wide, 1/float64(x.Shape().Size()/l.stage.Out))
	deviation := Sqrt(Add(variance, ConstAsDType(g, l.wide, resnet.Epsilon)))
	factor := Div(scale, deviation)
	ofX := Neg(Div(Mul(Mul(factor, dscale), values), deviation))
	rest := Sub(Neg(Mul(Mul(factor, doffset), values)), Mul(mean, ofX))
	dx = Add(Add(Mul(ConvertDType(dy, l.wide), perChannel(factor)), Mul(ConvertDType(x, l.wide), perChannel(ofX))), perChannel(rest))
	return ConvertDType(dx, x.DType()), dscale, doffset
}

// rows makes [batch*Side, Side*Out] of [batch, Side, Side, Out], in the parameters' type.
func (l *loop) rows(x *Node) *Node {
	return Reshape(ConvertDType(x, l.wide), l.batch*l.stage.Side, l.stage.Side*l.stage.Out)
}

// perRow repeats [Out] for each pixel of a row: [Side*Out].
func (l *loop) perRow(v *Node) *Node {
	return Reshape(BroadcastToDims(Reshape(v, 1, l.stage.Out), l.stage.Side, l.stage.Out), l.stage.Side*l.stage.Out)
}

// overWidth sums [Side*Out] over the pixels of a row, times a factor: [Out].
func (l *loop) overWidth(row *Node, factor float64) *Node {
	weights := BroadcastToDims(ConstAsDType(row.Graph(), l.wide, factor), l.stage.Side)
	return Dot(weights, Reshape(row, l.stage.Side, l.stage.Out)).Product()
}

func perChannel(v *Node) *Node { return Reshape(v, 1, 1, 1, v.Shape().Size()) }

// divided says whether several devices share the minibatch.
func divided(g *Graph) bool { return g.DistributedStrategy() != distributed.None }

// total sums rows [n, width] to [width], by a product.
func total(rows *Node) *Node {
	ones := BroadcastToDims(ConstAsDType(rows.Graph(), rows.DType(), 1.0), rows.Shape().Dimensions[0])
	return Dot(ones, rows).Product()
}
