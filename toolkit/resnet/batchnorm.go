package resnet

import (
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/residual"
)

// Epsilon is added to the variance in batch normalisation (torch/nn's default) and in layer normalisation.
const Epsilon = 1e-5

// batchNorm is what [BatchNorm] needs: scale, offset and the running averages mean and variance, each [channels].
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
// variance, which it measures, at test by their running averages. With gates per sample the minibatch is those of its
// images whose gates are open. As in Torch the minibatch is divided by the
// deviation with the count in it, while the running variance is the unbiased one.
func BatchNorm(p *residual.Branch, suffix string, x *Node) *Node {
	scale, offset := p.Value("scale"+suffix), p.Value("offset"+suffix)
	if !p.Training {
		return Normalize(x, scale, offset, p.Value("mean"+suffix), p.Value("variance"+suffix))
	}
	mean, variance := moments(ConvertDType(x, scale.DType()), p.Weights, p.InLoop)
	p.Measure("mean"+suffix, mean)
	if d := x.Shape().Dimensions; p.Weights == nil {
		p.Measure("variance"+suffix, Unbiased(variance, d[0]*d[1]*d[2]))
	} else {
		p.Measure("variance"+suffix, UnbiasedOver(variance, ReduceSum(Sign(p.Weights)), d[1]*d[2]))
	}
	return Normalize(x, scale, offset, mean, variance)
}

// moments are the mean and the variance of x [batch, height, width, channels] over all but the channels, [channels]; the
// variance is divided by the count. In a loop XLA's CPU code adds up a row of pixels with its channels as one long axis
// several times faster than pixels of a few channels. weights [batch], unless nil, say how much each image counts.
func moments(x, weights *Node, inLoop bool) (mean, variance *Node) {
	average := func(x *Node) *Node { return ReduceMean(x, 0, 1, 2) }
	if inLoop {
		average = averageByRow
	}
	if weights != nil {
		each, plain := residual.WithAxes(weights, 3), average
		average = func(x *Node) *Node { return plain(Mul(x, each)) }
	}
	mean = average(x)
	return mean, average(Square(Sub(x, PerChannel(mean))))
}

func averageByRow(x *Node) *Node {
	d := x.Shape().Dimensions
	rows := ReduceMean(Reshape(x, d[0]*d[1], d[2]*d[3]), 0)
	return ReduceMean(Reshape(rows, d[2], d[3]), 0)
}

// Unbiased is the variance [..., channels] of so many values with that number less one in its denominator.
func Unbiased(variance *Node, values int) *Node {
	return MulScalar(variance, float64(values)/float64(values-1))
}

// UnbiasedOver is Unbiased for a variance over so many images with so many pixels each. It is zero over none.
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
func Deviation(variance *Node) *Node {
	return Sqrt(Add(variance, ConstAsDType(variance.Graph(), variance.DType(), Epsilon)))
}

// PerChannel makes [1, 1, 1, channels] of [channels].
func PerChannel(v *Node) *Node { return Reshape(v, 1, 1, 1, v.Shape().Size()) }
