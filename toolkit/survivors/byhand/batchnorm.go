package byhand

import (
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/resnet"
)

// normalize is batch normalisation in training: y as x, and the batch's mean and variance [channels].
func (l *loop) normalize(x, scale, offset *Node) (y, mean, variance *Node) {
	mean, variance = l.sums.moments(ConvertDType(x, l.parameterType))
	return resnet.Normalize(x, scale, offset, mean, variance), mean, variance
}

// normalizeGradient is the gradient of normalize: of x, as x, and of scale and offset [channels].
//
//	dx = slope (dy - sum(dy)/M - x' sum(dy x')/M),  x' = (x - mean)/deviation,  slope = scale/deviation
//
// is linear in dy and x, with coefficients a channel.
func (l *loop) normalizeGradient(x, scale, mean, variance, dy *Node) (dx, dscale, doffset *Node) {
	castX, castDY := ConvertDType(x, l.parameterType), ConvertDType(dy, l.parameterType)
	dscale, doffset = l.sums.gradients(castX, mean, variance, castDY)

	values := ConstAsDType(x.Graph(), l.parameterType, 1/float64(x.Shape().Size()/l.block.Out))
	deviation := resnet.Deviation(variance)
	slope := Div(scale, deviation)
	xSlope := Neg(Div(Mul(Mul(slope, dscale), values), deviation))
	shift := Sub(Neg(Mul(Mul(slope, doffset), values)), Mul(mean, xSlope))
	dx = Add(Add(Mul(castDY, resnet.PerChannel(slope)), Mul(castX, resnet.PerChannel(xSlope))), resnet.PerChannel(shift))
	return ConvertDType(dx, x.DType()), dscale, doffset
}
