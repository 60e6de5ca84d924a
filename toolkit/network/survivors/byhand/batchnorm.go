package byhand

import (
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/resnet"
)

// normalize is batch normalisation in training: y has x's shape and type, and the batch's mean and variance are
// [channels]. weights [batch, 1, 1, 1], unless nil, say how much each image counts.
func (l *loop) normalize(x, scale, offset, weights *Node) (y, mean, variance *Node) {
	castX := ConvertDType(x, l.parameterType)
	if weights == nil {
		mean, variance = l.sums.moments(castX)
	} else {
		mean, _ = l.sums.moments(Mul(castX, weights))
		variance, _ = l.sums.moments(Mul(Square(Sub(castX, resnet.PerChannel(mean))), weights))
	}
	return resnet.Normalize(x, scale, offset, mean, variance), mean, variance
}

// normalizeGradient returns the gradients of normalize: of x, in its shape and type, and of scale and offset [channels].
//
//	dx = slope (dy - sum(dy)/M - x' sum(dy x')/M),  x' = (x - mean)/deviation,  slope = scale/deviation
//
// is linear in dy and x, with coefficients for each channel. With weights dy is zero for closed images, and an open
// image's weight divided by the number of all values is 1/M.
func normalizeGradient(s sums, x, scale, mean, variance, weights, dy *Node) (dx, dscale, doffset *Node) {
	dtype := scale.DType()
	castX, castDY := ConvertDType(x, dtype), ConvertDType(dy, dtype)
	dscale, doffset = s.gradients(castX, mean, variance, castDY)

	values := ConstAsDType(x.Graph(), dtype, 1/float64(x.Shape().Size()/scale.Shape().Size()))
	deviation := resnet.Deviation(variance)
	slope := Div(scale, deviation)
	xSlope := Neg(Div(Mul(Mul(slope, dscale), values), deviation))
	shift := Sub(Neg(Mul(Mul(slope, doffset), values)), Mul(mean, xSlope))
	byDY, byX := Mul(castDY, resnet.PerChannel(slope)), Mul(castX, resnet.PerChannel(xSlope))
	if weights == nil {
		dx = Add(Add(byDY, byX), resnet.PerChannel(shift))
	} else {
		dx = Add(byDY, Mul(Add(byX, resnet.PerChannel(shift)), weights))
	}
	return ConvertDType(dx, x.DType()), dscale, doffset
}
