package resnet

import . "github.com/gomlx/gomlx/core/graph"

// Convolve3x3 convolves x [batch, height, width, in] with a kernel [3, 3, in, out], zero padding of
// one pixel on each side, as Torch pads also when the stride is 2.
func Convolve3x3(x, kernel *Node, stride int) *Node {
	return Convolve(x, ConvertDType(kernel, x.DType())).PaddingPerDim([][2]int{{1, 1}, {1, 1}}).Strides(stride).Done()
}

// Relu is max(x, 0) of any shape.
func Relu(x *Node) *Node { return Max(x, ScalarZero(x.Graph(), x.DType())) }

// Shortcut is id(x) of a block, without parameters: x itself, or, where a group begins, x pooled over
// 2x2 pixels and padded with channels of zeros: [batch, side, side, in] becomes
// [batch, side/2, side/2, out].
func (n *Network) Shortcut(s Stage, x *Node) *Node {
	if !s.Transition() {
		return x
	}
	batch, side, in := x.Shape().Dimensions[0], s.Side, s.In
	pixels := Reshape(x, batch, side, 2, side, 2, in)
	if n.Subsample {
		pixels = Slice(pixels, AxisRange(), AxisRange(), AxisElem(0), AxisRange(), AxisElem(0), AxisRange())
		pixels = Reshape(pixels, batch, side, side, in)
	} else {
		pixels = ReduceMean(pixels, 2, 4)
	}
	pixels.AssertDims(batch, side, side, in)
	return Concatenate([]*Node{pixels, Zeros(x.Graph(), pixels.Shape())}, -1)
}
