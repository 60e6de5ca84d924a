package resnet

import (
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/residual"
)

// Epsilon is added to the variance in batch normalisation (torch/nn's default) and in layer normalisation.
const Epsilon = 1e-5

// BatchNormParameters lists what [BatchNorm] needs: scale, offset and the running averages mean and variance, each
// [channels].
func (s Shape) BatchNormParameters(suffix string, channels int) []residual.Parameter {
	return BatchNormParameters(suffix, channels, s.Scale)
}

// BatchNormParameters is [Shape.BatchNormParameters] with scales that start as scale says.
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
// variance, which it measures, at test by their running averages. With gates per sample only the images whose gates are
// open count as the minibatch. As in Torch, the variance that normalises is divided by the number of values, and the
// running variance is the unbiased one.
func BatchNorm(p *residual.Branch, suffix string, x *Node) *Node {
	return batchNorm(p, suffix, x, false)
}

// BatchNormRelu is [BatchNorm] followed by [Relu], which an engine may compute as one.
func BatchNormRelu(p *residual.Branch, suffix string, x *Node) *Node {
	return batchNorm(p, suffix, x, true)
}

func batchNorm(p *residual.Branch, suffix string, x *Node, rectified bool) *Node {
	then := func(y *Node) *Node {
		if rectified {
			return Relu(y)
		}
		return y
	}
	scale, offset := p.Value("scale"+suffix), p.Value("offset"+suffix)
	if !p.Training {
		return then(Normalize(x, scale, offset, p.Value("mean"+suffix), p.Value("variance"+suffix)))
	}
	var y, mean, variance *Node
	if p.Normalize != nil && p.Weights == nil {
		y, mean, variance = p.Normalize(p, x, scale, offset, rectified)
	} else {
		y, mean, variance = normalizeBatch(x, scale, offset, p.Weights, p.InLoop)
		y = then(y)
	}
	p.Measure("mean"+suffix, mean)
	if d := x.Shape().Dimensions; p.Weights == nil {
		p.Measure("variance"+suffix, Unbiased(variance, d[0]*d[1]*d[2]))
	} else {
		p.Measure("variance"+suffix, UnbiasedOver(variance, ReduceSum(Sign(p.Weights)), d[1]*d[2]))
	}
	return y
}

// normalizeBatch is [Normalize] by the mean and the variance of x over all axes but the channels; the variance is divided
// by the number of values. weights [batch], unless nil, say how much each image counts.
func normalizeBatch(x, scale, offset, weights *Node, inLoop bool) (y, mean, variance *Node) {
	if inLoop {
		return normalizeRows(x, scale, offset, weights)
	}
	cast := ConvertDType(x, scale.DType())
	average := func(x *Node) *Node {
		if weights != nil {
			x = Mul(x, residual.WithAxes(weights, 3))
		}
		return ReduceMean(x, 0, 1, 2)
	}
	mean = average(cast)
	variance = average(Square(Sub(cast, PerChannel(mean))))
	return Normalize(x, scale, offset, mean, variance), mean, variance
}

// normalizeRows does the same, but treats a row of pixels with its channels as one long axis. In a loop XLA's CPU code adds
// up such rows many times faster than pixels with few channels, also for the gradient.
func normalizeRows(x, scale, offset, weights *Node) (y, mean, variance *Node) {
	d := x.Shape().Dimensions
	width, channels := d[2], d[3]
	rows := Reshape(x, 1, 1, d[0]*d[1], width*channels)
	average := func(rows *Node) *Node {
		if weights != nil {
			rows = Mul(rows, Reshape(BroadcastToDims(Reshape(weights, d[0], 1), d[0], d[1]), 1, 1, d[0]*d[1], 1))
		}
		return ReduceMean(Reshape(ReduceMean(rows, 0, 1, 2), width, channels), 0)
	}
	alongRow := func(v *Node) *Node { return AlongRow(v, width) }
	cast := ConvertDType(rows, scale.DType())
	mean = average(cast)
	// The derivative of the variance with respect to the mean is zero.
	variance = average(Square(Sub(cast, StopGradient(PerChannel(alongRow(mean))))))
	y = Normalize(rows, alongRow(scale), alongRow(offset), alongRow(mean), alongRow(variance))
	return Reshape(y, d...), mean, variance
}

// AlongRow repeats v [channels] for each pixel of a row: [width*channels].
func AlongRow(v *Node, width int) *Node {
	channels := v.Shape().Size()
	return Reshape(BroadcastToDims(Reshape(v, 1, channels), width, channels), width*channels)
}

// Unbiased turns the variance [..., channels], divided by the number of values, into the one divided by that number less 1.
// That of a single value is zero.
func Unbiased(variance *Node, values int) *Node {
	return MulScalar(variance, float64(values)/float64(max(values-1, 1)))
}

// UnbiasedOver is Unbiased for the given number of images, a node, with that many pixels each. Without images it is zero.
func UnbiasedOver(variance, images *Node, pixels int) *Node {
	values := MulScalar(images, float64(pixels))
	return Mul(variance, Div(values, MaxScalar(AddScalar(values, -1), 1)))
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
func Deviation(variance *Node) *Node { return deviation(variance, Epsilon) }

func deviation(variance *Node, epsilon float64) *Node {
	return Sqrt(Add(variance, ConstAsDType(variance.Graph(), variance.DType(), epsilon)))
}

// PerChannel reshapes [channels] to [1, 1, 1, channels].
func PerChannel(v *Node) *Node { return Reshape(v, 1, 1, 1, v.Shape().Size()) }
