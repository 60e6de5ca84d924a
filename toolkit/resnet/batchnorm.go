package resnet

import (
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/residual"
)

// Epsilon is added to the variance in batch normalisation (torch/nn's default) and in layer normalisation.
const Epsilon = 1e-5

// BatchNormParameters lists what [BatchNorm] needs: scale, offset and the running averages mean and variance, each [channels].
func (s Shape) BatchNormParameters(suffix string, channels int) []residual.Parameter {
	return BatchNormParameters(suffix, channels, s.Scale)
}

// BatchNormParameters is Shape.BatchNormParameters for scales that start in a given way.
func BatchNormParameters(suffix string, channels int, scale residual.Start) []residual.Parameter {
	dims := []int{channels}
	return []residual.Parameter{
		{Name: "scale" + suffix, Dims: dims, Start: scale},
		{Name: "offset" + suffix, Dims: dims, Start: residual.Constant(0)},
		{Name: "mean" + suffix, Dims: dims, Start: residual.Constant(0), Average: true},
		{Name: "variance" + suffix, Dims: dims, Start: residual.Constant(1), Average: true},
	}
}

// BatchNorm is batch normalisation of x [batch, height, width, channels]: in training by the minibatch's mean and
// variance, which it measures, at test by their running averages. As in Torch the minibatch is divided by the
// deviation with the count in it, while the running variance is the unbiased one.
func BatchNorm(p *residual.Branch, suffix string, x *Node) *Node {
	scale, offset := p.Value("scale"+suffix), p.Value("offset"+suffix)
	if !p.Training {
		return Normalize(x, scale, offset, p.Value("mean"+suffix), p.Value("variance"+suffix))
	}
	y, mean, variance := normalizeBatch(x, scale, offset, p.InLoop)
	p.Measure("mean"+suffix, mean)
	p.Measure("variance"+suffix, Unbiased(variance, x.Shape().Size()/variance.Shape().Size()))
	return y
}

// normalizeBatch is [Normalize] by the mean and the variance, divided by the count, of x over all but the channels.
func normalizeBatch(x, scale, offset *Node, inLoop bool) (y, mean, variance *Node) {
	if inLoop {
		return normalizeRows(x, scale, offset)
	}
	wide := ConvertDType(x, scale.DType())
	mean = ReduceMean(wide, 0, 1, 2)
	variance = ReduceMean(Square(Sub(wide, PerChannel(mean))), 0, 1, 2)
	return Normalize(x, scale, offset, mean, variance), mean, variance
}

// normalizeRows does the same with a row of pixels and its channels as one long axis. In a loop XLA's CPU code adds up
// such rows many times faster than pixels of a few channels, also for the gradient.
func normalizeRows(x, scale, offset *Node) (y, mean, variance *Node) {
	d := x.Shape().Dimensions
	width, channels := d[2], d[3]
	rows := Reshape(x, 1, 1, d[0]*d[1], width*channels)
	average := func(rows *Node) *Node {
		return ReduceMean(Reshape(ReduceMean(rows, 0, 1, 2), width, channels), 0)
	}
	alongRow := func(v *Node) *Node {
		return Reshape(BroadcastToDims(Reshape(v, 1, channels), width, channels), width*channels)
	}
	wide := ConvertDType(rows, scale.DType())
	mean = average(wide)
	// The derivative of the variance by the mean is zero.
	variance = average(Square(Sub(wide, StopGradient(PerChannel(alongRow(mean))))))
	y = Normalize(rows, alongRow(scale), alongRow(offset), alongRow(mean), alongRow(variance))
	return Reshape(y, d...), mean, variance
}

// Unbiased is the variance [..., channels] of so many values with that number less one in its denominator.
func Unbiased(variance *Node, values int) *Node {
	return MulScalar(variance, float64(values)/float64(values-1))
}

// Normalize is batch normalisation by a given mean and variance,
//
//	y = scale (x - mean)/sqrt(variance + epsilon) + offset,
//
// of x [batch, height, width, channels]; the others are [channels]. It is computed in the parameters' type, and
// y has the type of x.
func Normalize(x, scale, offset, mean, variance *Node) *Node {
	slope := Div(scale, Deviation(variance))
	y := Add(Mul(ConvertDType(x, scale.DType()), PerChannel(slope)), PerChannel(Sub(offset, Mul(mean, slope))))
	return ConvertDType(y, x.DType())
}

// Deviation is sqrt(variance + epsilon), of any shape.
func Deviation(variance *Node) *Node {
	return Sqrt(Add(variance, ConstAsDType(variance.Graph(), variance.DType(), Epsilon)))
}

// PerChannel makes [1, 1, 1, channels] of [channels].
func PerChannel(v *Node) *Node { return Reshape(v, 1, 1, 1, v.Shape().Size()) }
