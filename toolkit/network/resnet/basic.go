package resnet

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/residual"
)

// Basic is the paper's block (Section 4), H = ReLU(f(H) + id(H)) with
//
//	f(x) = BN(conv(ReLU(BN(conv(x)))))
//
// on x [batch, Side*Stride, Side*Stride, In]; f(x) and the new H are [batch, Side, Side, Out].
type Basic struct{ Shape }

// NewBasic returns the paper's block for a shape.
func NewBasic(s Shape) residual.Block { return Basic{s} }

// Parameters lists kernel1 [3, 3, In, Out], kernel2 [3, 3, Out, Out], those of two batch normalisations and
// those of the shortcut.
func (b Basic) Parameters() []residual.Parameter {
	return slices.Concat(
		ConvolutionParameters("kernel1", 3, b.In, b.Out), b.BatchNormParameters("1", b.Out),
		ConvolutionParameters("kernel2", 3, b.Out, b.Out), b.BatchNormParameters("2", b.Out), b.ShortcutParameters())
}

// Branch implements residual.Block.
func (b Basic) Branch(p *residual.Branch, x *Node) *Node {
	f := BatchNormRelu(p, "1", Convolution(p, x, p.Value("kernel1"), b.Stride))
	return BatchNorm(p, "2", Convolution(p, f, p.Value("kernel2"), 1))
}

// Join is ReLU(f + id).
func (Basic) Join(branch, shortcut *Node) *Node { return Relu(Add(branch, shortcut)) }

// MultiplyAdds counts those of the convolutions, for one image.
func (b Basic) MultiplyAdds() int64 {
	return 9*b.pixels()*int64(b.In*b.Out+b.Out*b.Out) + b.shortcutMultiplyAdds()
}
