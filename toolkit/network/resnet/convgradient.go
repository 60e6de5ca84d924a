package resnet

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// The two gradients of a convolution are convolutions again. In a loop they must be written in XLA's standard dimension
// order (image NHWC, kernel HWIO), by transposing operands: on the CPU XLA converts other orders to this one only in the
// main function, and in a loop they run some fifty times slower. GoMLX uses other orders, so a convolution in a loop gets
// the gradients below. GoMLX looks up gradients by the node's type: the function registered for convolutions asks the
// graph which of them are in a loop.

type convolutionsKey struct{}

func init() {
	byGoMLX := VJPRegistration[NodeTypeConvGeneral]
	VJPRegistration[NodeTypeConvGeneral] = func(node *Node, outputs []*Node, shape shapes.Shape) []*Node {
		strides, _ := node.Graph().State(convolutionsKey{}).(map[*Node]int)
		stride, ok := strides[node]
		if !ok {
			return byGoMLX(node, outputs, shape)
		}
		x, kernel, dy := node.Inputs()[0], node.Inputs()[1], outputs[0]
		return []*Node{InputGradient(dy, kernel, stride, x.Shape().Dimensions[1]), KernelGradient(x, dy, kernel.Shape().Dimensions[0], stride)}
	}
}

// differentiateInStandardOrder makes GoMLX differentiate y = Convolution(x, kernel, stride) by the functions below.
func differentiateInStandardOrder(y *Node, stride int) {
	strides, _ := y.Graph().State(convolutionsKey{}).(map[*Node]int)
	if strides == nil {
		strides = make(map[*Node]int)
		y.Graph().AttachState(convolutionsKey{}, strides)
	}
	strides[y] = stride
}

// InputGradient returns the gradient of x [batch, side, side, in] from the gradient of y = Convolution(x, kernel, stride),
// in standard order.
func InputGradient(dy, kernel *Node, stride, side int) *Node {
	around := kernel.Shape().Dimensions[0] / 2
	flipped := TransposeAllAxes(Reverse(ConvertDType(kernel, dy.DType()), 0, 1), 0, 1, 3, 2)
	padding := [2]int{around, around + unused(side, stride)}
	conv := Convolve(dy, flipped).PaddingPerDim([][2]int{padding, padding})
	if stride > 1 {
		conv = conv.InputDilationPerAxis(stride, stride)
	}
	return conv.Done()
}

// KernelGradient returns the gradient of a kernel [size, size, in, out] from the gradient of y = Convolution(x, kernel,
// stride), in standard order and in dy's type.
func KernelGradient(x, dy *Node, size, stride int) *Node {
	around := size / 2
	padding := [2]int{around, around - unused(x.Shape().Dimensions[1], stride)}
	conv := Convolve(TransposeAllAxes(x, 3, 1, 2, 0), TransposeAllAxes(dy, 1, 2, 0, 3)).
		PaddingPerDim([][2]int{padding, padding})
	if stride > 1 {
		conv = conv.DilationPerAxis(stride, stride)
	}
	return TransposeAllAxes(conv.Done(), 1, 2, 0, 3)
}

// unused is how far the last window of a convolution ends before the edge of its padded input.
func unused(side, stride int) int { return (side - 1) % stride }
