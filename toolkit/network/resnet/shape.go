package resnet

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/residual"
)

// Shape has the shapes of a convolutional block's input and output.
type Shape struct {
	In, Out int // channels
	Stride  int // 2 if the block halves the side, else 1
	Side    int // height and width of its output

	Subsample  bool           // if the side is halved, the shortcut takes every other pixel, not the average of 2x2
	Projection bool           // where the shape changes, the shortcut is a convolution 1x1 and batch normalisation
	Plain      bool           // there is no shortcut
	Scale      residual.Start // initial scales of batch normalisation
}

// Changes reports whether the block's output has another shape than its input.
func (s Shape) Changes() bool { return s.Stride > 1 || s.In != s.Out }

// ShortcutParameters lists those of the shortcut: none, or if it projects kernel_shortcut [1, 1, In, Out] and those of a
// batch normalisation.
func (s Shape) ShortcutParameters() []residual.Parameter {
	if s.Plain || !s.Projection || !s.Changes() {
		return nil
	}
	list := append(ConvolutionParameters("kernel_shortcut", 1, s.In, s.Out), s.BatchNormParameters("_shortcut", s.Out)...)
	for i := range list {
		list[i].Shortcut = true
	}
	return list
}

// Shortcut is id(x): x itself, or, if the shape changes, x pooled over 2x2 pixels and padded with channels of zeros, or
// projected (He et al. 2015, option B): [batch, Side*Stride, Side*Stride, In] becomes [batch, Side, Side, Out]. An odd side
// is rounded up: at the edge the pixels that are there are averaged. If the network is plain, it is zeros of that shape.
func (s Shape) Shortcut(b *residual.Branch, x *Node) *Node {
	if s.Plain {
		return Zeros(x.Graph(), shapes.Make(x.DType(), x.Shape().Dimensions[0], s.Side, s.Side, s.Out))
	}
	if s.Projection && s.Changes() {
		return BatchNorm(b, "_shortcut", Convolution(b, x, b.Value("kernel_shortcut"), s.Stride))
	}
	batch := x.Shape().Dimensions[0]
	if s.Stride == 2 {
		if side := x.Shape().Dimensions[1]; side < 2*s.Side { // the last row and column once more
			x = Concatenate([]*Node{x, Slice(x, AxisRange(), AxisRange(side-1))}, 1)
			x = Concatenate([]*Node{x, Slice(x, AxisRange(), AxisRange(), AxisRange(side-1))}, 2)
		}
		pixels := Reshape(x, batch, s.Side, 2, s.Side, 2, s.In)
		if s.Subsample {
			pixels = Slice(pixels, AxisRange(), AxisRange(), AxisElem(0), AxisRange(), AxisElem(0), AxisRange())
			x = Reshape(pixels, batch, s.Side, s.Side, s.In)
		} else {
			x = ReduceMean(pixels, 2, 4)
		}
	}
	if s.In != s.Out {
		padding := x.Shape().Clone()
		padding.Dimensions[3] = s.Out - s.In
		x = Concatenate([]*Node{x, Zeros(x.Graph(), padding)}, -1)
	}
	x.AssertDims(batch, s.Side, s.Side, s.Out)
	return x
}

// pixels is the number of pixels of the output.
func (s Shape) pixels() int64 { return int64(s.Side * s.Side) }

// shortcutMultiplyAdds counts those of the shortcut, for one image.
func (s Shape) shortcutMultiplyAdds() int64 {
	if s.Plain || !s.Projection || !s.Changes() {
		return 0
	}
	return s.pixels() * int64(s.In*s.Out)
}
