package resnet

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/residual"
)

// Bottleneck is the block of the 164 layers of He et al. 2016 (arXiv 1603.05027), a [Preactivation] of three
// convolutions of which the middle one, 3x3, has a quarter of the channels: H = f(H) + id(H) with
//
//	f(x) = conv1x1(ReLU(BN(conv3x3(ReLU(BN(conv1x1(ReLU(BN(x)))))))))
//
// Shapes are those of [Basic]. Where the shape changes, the authors have a convolution in the shortcut; this block pools
// and pads instead, as the other blocks here do, so the shortcut has no parameters.
type Bottleneck struct {
	Shape
	residual.Sum
}

// NewBottleneck returns the block for a shape.
func NewBottleneck(s Shape) residual.Block { return Bottleneck{Shape: s} }

// expansion is the ratio of a bottleneck's output channels to its middle channels.
const expansion = 4

// Parameters lists those of three batch normalisations, kernel1 [1, 1, In, Out/4], kernel2 [3, 3, Out/4, Out/4] and
// kernel3 [1, 1, Out/4, Out].
func (b Bottleneck) Parameters() []residual.Parameter {
	middle := b.Out / expansion
	return slices.Concat(
		b.BatchNormParameters("1", b.In), ConvolutionParameters("kernel1", 1, b.In, middle),
		b.BatchNormParameters("2", middle), ConvolutionParameters("kernel2", 3, middle, middle),
		b.BatchNormParameters("3", middle), ConvolutionParameters("kernel3", 1, middle, b.Out))
}

// Branch implements residual.Block.
func (b Bottleneck) Branch(p *residual.Branch, x *Node) *Node {
	f := Convolution(p, BatchNormRelu(p, "1", x), p.Value("kernel1"), 1)
	f = Convolution(p, BatchNormRelu(p, "2", f), p.Value("kernel2"), b.Stride)
	return Convolution(p, BatchNormRelu(p, "3", f), p.Value("kernel3"), 1)
}

// MultiplyAdds counts those of the three convolutions, for one image.
func (b Bottleneck) MultiplyAdds() int64 {
	middle, stride := int64(b.Out/expansion), int64(b.Stride)
	return b.pixels() * (stride*stride*int64(b.In)*middle + 9*middle*middle + middle*int64(b.Out))
}
