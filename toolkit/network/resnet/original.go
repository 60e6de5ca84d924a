package resnet

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/residual"
)

// OriginalBottleneck is the block of the ImageNet networks of He et al. 2015 (arXiv 1512.03385), H = ReLU(f(H) + id(H)) with
//
//	f(x) = BN(conv1x1(ReLU(BN(conv3x3(ReLU(BN(conv1x1(x))))))))
//
// of which the middle convolution has a quarter of the output's channels, and the stride, as in fb.resnet.torch, which the
// paper used, and in torchvision (there called version 1.5). Shapes are those of [Basic].
type OriginalBottleneck struct{ Shape }

// NewOriginalBottleneck returns the block for a shape.
func NewOriginalBottleneck(s Shape) residual.Block { return OriginalBottleneck{s} }

// Parameters lists kernel1 [1, 1, In, Out/4], kernel2 [3, 3, Out/4, Out/4], kernel3 [1, 1, Out/4, Out], those of three batch
// normalisations and those of the shortcut.
func (b OriginalBottleneck) Parameters() []residual.Parameter {
	middle := b.Out / expansion
	return slices.Concat(
		ConvolutionParameters("kernel1", 1, b.In, middle), b.BatchNormParameters("1", middle),
		ConvolutionParameters("kernel2", 3, middle, middle), b.BatchNormParameters("2", middle),
		ConvolutionParameters("kernel3", 1, middle, b.Out), b.BatchNormParameters("3", b.Out), b.ShortcutParameters())
}

// Branch implements residual.Block.
func (b OriginalBottleneck) Branch(p *residual.Branch, x *Node) *Node {
	f := BatchNormRelu(p, "1", Convolution(p, x, p.Value("kernel1"), 1))
	f = BatchNormRelu(p, "2", Convolution(p, f, p.Value("kernel2"), b.Stride))
	return BatchNorm(p, "3", Convolution(p, f, p.Value("kernel3"), 1))
}

// Join is ReLU(f + id).
func (OriginalBottleneck) Join(branch, shortcut *Node) *Node { return Relu(Add(branch, shortcut)) }

// MultiplyAdds counts those of the convolutions, for one image. The first has a pixel for each of the input's.
func (b OriginalBottleneck) MultiplyAdds() int64 {
	return Bottleneck{Shape: b.Shape}.MultiplyAdds() + b.shortcutMultiplyAdds()
}
