package resnet

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/residual"
)

// The layers of which blocks are made, each with a list of its parameters.

// ConvolutionParameters lists the kernel of a convolution, [size, size, in, out], Kaiming normal with fan-in: deviation
// sqrt(2/(size^2 in)).
func ConvolutionParameters(name string, size, in, out int) []residual.Parameter {
	deviation := math.Sqrt(2 / float64(size*size*in))
	return []residual.Parameter{{Name: name, Dims: []int{size, size, in, out}, Start: residual.Normal(deviation)}}
}

// Convolution convolves x [batch, height, width, in] with a kernel [size, size, in, out] of odd size. Zeros around x centre
// each window on a pixel of x, as in Torch also with stride 2. p may be nil outside of blocks.
func Convolution(p *residual.Branch, x, kernel *Node, stride int) *Node {
	kernel = ConvertDType(kernel, x.DType())
	size := kernel.Shape().Dimensions[0]
	var y *Node
	switch around := size / 2; {
	case size == 1:
		y = pointwise(x, kernel, stride)
	case halved(x.Shape().Dimensions[1], stride) < size:
		y = byPatches(x, kernel, stride)
	default:
		y = Convolve(x, kernel).PaddingPerDim([][2]int{{around, around}, {around, around}}).Strides(stride).Done()
		if p != nil && p.InLoop {
			differentiateInStandardOrder(y, stride)
		}
	}
	if p != nil {
		y = p.Keep(y)
	}
	return y
}

// byPatches is a convolution as a product of the patches under each window with the kernel. Where a window is larger than
// the output, XLA's convolution on a CPU takes up to a hundred times as long.
func byPatches(x, kernel *Node, stride int) *Node {
	d, size, in, out := x.Shape().Dimensions, kernel.Shape().Dimensions[0], kernel.Shape().Dimensions[2], kernel.Shape().Dimensions[3]
	around, height, width := size/2, halved(d[1], stride), halved(d[2], stride)
	for _, axis := range []int{1, 2} { // zeros around x: GoMLX has no gradient for Pad
		margin := x.Shape().Clone()
		margin.Dimensions[axis] = around
		zeros := Zeros(x.Graph(), margin)
		x = Concatenate([]*Node{zeros, x, zeros}, axis)
	}
	var patches []*Node
	for row := range size {
		for column := range size {
			patches = append(patches, Slice(x, AxisRange(), AxisRange(row, row+stride*(height-1)+1).Stride(stride),
				AxisRange(column, column+stride*(width-1)+1).Stride(stride)))
		}
	}
	values := size * size * in
	y := Dot(Reshape(Concatenate(patches, -1), d[0]*height*width, values), Reshape(kernel, values, out)).Product()
	return Reshape(y, d[0], height, width, out)
}

// pointwise is a convolution with a kernel [1, 1, in, out], as a product over the channels, which on a CPU is faster.
func pointwise(x, kernel *Node, stride int) *Node {
	if stride > 1 {
		x = Slice(x, AxisRange(), AxisRange().Stride(stride), AxisRange().Stride(stride))
	}
	d, in, out := x.Shape().Dimensions, kernel.Shape().Dimensions[2], kernel.Shape().Dimensions[3]
	y := Dot(Reshape(x, d[0]*d[1]*d[2], in), Reshape(kernel, in, out)).Product()
	return Reshape(y, d[0], d[1], d[2], out)
}

// Relu is max(x, 0) of any shape. At exactly 0 its gradient is 0, as in PyTorch, Torch7 and JAX: GoMLX gives the gradient of
// equal operands to the first. Zeros are not rare, since channels that a closed block fills up with zeros are normalised to 0.
func Relu(x *Node) *Node { return Max(ScalarZero(x.Graph(), x.DType()), x) }

// LinearParameters lists what [Linear] needs: weights [in, out], normal with deviation 0.02 as in transformers, and biases
// of zero.
func LinearParameters(name string, in, out int) []residual.Parameter {
	return []residual.Parameter{
		{Name: name + "_weights", Dims: []int{in, out}, Start: residual.Normal(0.02)},
		{Name: name + "_bias", Dims: []int{out}, Start: residual.Constant(0)},
	}
}

// Linear is x W + b over the last axis of x [..., in]: [..., out].
func Linear(p *residual.Branch, name string, x *Node) *Node {
	dims := append([]int{}, x.Shape().Dimensions...)
	weights, bias := p.Value(name+"_weights"), p.Value(name+"_bias")
	dims[len(dims)-1] = bias.Shape().Size()
	return keep(p, Reshape(linear(p, x, weights, bias), dims...))
}

// linear is Linear with the given weights [in, out] and bias [out]: [rows, out].
func linear(p *residual.Branch, x, weights, bias *Node) *Node {
	weights, bias = ConvertDType(weights, x.DType()), ConvertDType(bias, x.DType())
	in := weights.Shape().Dimensions[0]
	rows := x.Shape().Size() / in
	return Add(Dot(Reshape(x, rows, in), weights).Product(), perRow(p, bias, rows))
}

// LayerNormParameters lists what [LayerNorm] needs: scales of one and offsets of zero [width].
func LayerNormParameters(suffix string, width int) []residual.Parameter {
	return []residual.Parameter{
		{Name: "scale" + suffix, Dims: []int{width}, Start: residual.Constant(1)},
		{Name: "offset" + suffix, Dims: []int{width}, Start: residual.Constant(0)},
	}
}

// LayerNorm is layer normalisation over the last axis of x [..., width] (Ba et al. 2016), in the parameters' type.
func LayerNorm(p *residual.Branch, suffix string, x *Node) *Node {
	return layerNorm(p, suffix, x, Epsilon)
}

func layerNorm(p *residual.Branch, suffix string, x *Node, epsilon float64) *Node {
	scale, offset := p.Value("scale"+suffix), p.Value("offset"+suffix)
	width := scale.Shape().Size()
	rows := x.Shape().Size() / width
	y := normalizeEach(p, Reshape(ConvertDType(x, scale.DType()), rows, width), epsilon)
	y = Add(Mul(y, perRow(p, scale, rows)), perRow(p, offset, rows))
	return Reshape(ConvertDType(y, x.DType()), x.Shape().Dimensions...)
}
