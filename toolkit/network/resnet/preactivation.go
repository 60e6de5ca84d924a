package resnet

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/residual"
)

// Preactivation is the block of He et al. 2016 ("Identity Mappings in Deep Residual Networks", arXiv 1603.05027),
// H = f(H) + id(H) with
//
//	f(x) = conv(ReLU(BN(conv(ReLU(BN(x))))))
//
// so that nothing but additions lies between the first block and the last. Shapes are those of [Basic].
type Preactivation struct {
	Shape
	residual.Sum
}

// NewPreactivation returns the block for a shape.
func NewPreactivation(s Shape) residual.Block { return Preactivation{Shape: s} }

// Parameters lists those of two batch normalisations, kernel1 [3, 3, In, Out] and kernel2 [3, 3, Out, Out].
func (b Preactivation) Parameters() []residual.Parameter {
	return slices.Concat(
		b.BatchNormParameters("1", b.In), ConvolutionParameters("kernel1", 3, b.In, b.Out),
		b.BatchNormParameters("2", b.Out), ConvolutionParameters("kernel2", 3, b.Out, b.Out))
}

// Branch implements residual.Block.
func (b Preactivation) Branch(p *residual.Branch, x *Node) *Node {
	f := Convolution(p, BatchNormRelu(p, "1", x), p.Value("kernel1"), b.Stride)
	return Convolution(p, BatchNormRelu(p, "2", f), p.Value("kernel2"), 1)
}

// MultiplyAdds counts those of the two convolutions, for one image.
func (b Preactivation) MultiplyAdds() int64 { return Basic{b.Shape}.MultiplyAdds() }
