package byhand

import (
	"github.com/gomlx/compute/distributed"
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/resnet"
)

// sums takes batch normalisation's sums over batch, height and width inside a loop, without reductions (see byhand.go).
// x and dy are [batch, height, width, channels], everything else is [channels].
type sums interface {
	// moments returns the mean and the variance of x, which is divided by the number of values. XLA's batch-norm operation
	// rounds the variance of a nearly constant channel to a number that may be negative; then it is 0.
	moments(x *Node) (mean, variance *Node)
	// gradients returns the gradients of scale and offset: the sums of dy (x - mean)/deviation and of dy.
	gradients(x, mean, variance, dy *Node) (dscale, doffset *Node)
}

// sums returns the sums that are fast on the device that the program is for.
func (f Form) sums(g *Graph) sums {
	switch {
	case g.DistributedStrategy() != distributed.None:
		return sumsByProduct{}
	case f.GPU:
		return sumsByPixel{}
	}
	return sumsByRow{}
}

// sumsByPixel adds up all pixels, [batch*height*width, channels], which a GPU divides among hundreds of thread blocks.
// The sums are outputs of XLA's batch-norm operations. Their other outputs are not used, so they are not computed.
type sumsByPixel struct{}

func (sumsByPixel) moments(x *Node) (mean, variance *Node) {
	pixels := byPixel(x)
	ones := onesLike(pixels, 1)
	_, mean, variance = InternalBatchNormForTraining(pixels, ones, ones, resnet.Epsilon, -1)
	return mean, relu(variance)
}

func (sumsByPixel) gradients(x, mean, variance, dy *Node) (dscale, doffset *Node) {
	pixels := byPixel(x)
	_, dscale, doffset = InternalBatchNormGradient(pixels, onesLike(pixels, 1), mean, variance, byPixel(dy), resnet.Epsilon, -1)
	return dscale, doffset
}

// sumsByRow does the same with a row of pixels and its channels as one long axis, [batch*height, width*channels]. XLA's
// CPU code adds up such rows several times faster than pixels of 16 channels. The sum over the width comes last, as a
// product with ones.
type sumsByRow struct{}

func (sumsByRow) moments(x *Node) (mean, variance *Node) {
	rows, width := byRow(x), x.Shape().Dimensions[2]
	ones := onesLike(rows, 1)
	_, rowMean, rowVariance := InternalBatchNormForTraining(rows, ones, ones, resnet.Epsilon, -1)
	mean = overWidth(rowMean, width, 1/float64(width))
	between := Square(Sub(rowMean, resnet.AlongRow(mean, width)))
	return mean, overWidth(Add(relu(rowVariance), between), width, 1/float64(width))
}

func (sumsByRow) gradients(x, mean, variance, dy *Node) (dscale, doffset *Node) {
	rows, width := byRow(x), x.Shape().Dimensions[2]
	_, rowScale, rowOffset := InternalBatchNormGradient(rows, onesLike(rows, 1),
		resnet.AlongRow(mean, width), resnet.AlongRow(variance, width), byRow(dy), resnet.Epsilon, -1)
	return overWidth(rowScale, width, 1), overWidth(rowOffset, width, 1)
}

// sumsByProduct is for several devices that share the minibatch: XLA divides products between devices, but not
// batch-norm operations.
type sumsByProduct struct{}

func (sumsByProduct) moments(x *Node) (mean, variance *Node) {
	pixels := byPixel(x)
	values := ConstAsDType(x.Graph(), x.DType(), 1/float64(pixels.Shape().Dimensions[0]))
	mean = Mul(total(pixels), values)
	return mean, Mul(total(Square(Sub(pixels, InsertAxes(mean, 0)))), values)
}

func (sumsByProduct) gradients(x, mean, variance, dy *Node) (dscale, doffset *Node) {
	pixels := byPixel(dy)
	return Div(total(Mul(pixels, Sub(byPixel(x), InsertAxes(mean, 0)))), resnet.Deviation(variance)), total(pixels)
}

func byPixel(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(x, d[0]*d[1]*d[2], d[3])
}

func byRow(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(x, d[0]*d[1], d[2]*d[3])
}

// overWidth sums [width*channels] over the pixels of a row, times a factor: [channels].
func overWidth(row *Node, width int, factor float64) *Node {
	weights := BroadcastToDims(ConstAsDType(row.Graph(), row.DType(), factor), width)
	return Dot(weights, Reshape(row, width, row.Shape().Size()/width)).Product()
}

// total sums [n, channels] to [channels], by a product.
func total(x *Node) *Node { return Dot(onesLike(x, 0), x).Product() }

// onesLike is a vector of ones, as long as x is along an axis.
func onesLike(x *Node, axis int) *Node {
	return BroadcastToDims(ConstAsDType(x.Graph(), x.DType(), 1.0), x.Shape().Dimensions[axis])
}
