package resnet

import (
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/residual"
)

// Shape has the shapes of a convolutional block's input and output.
type Shape struct {
	In, Out int // channels
	Stride  int // 2 if the block halves the side, else 1
	Side    int // height and width of its output

	Subsample bool           // if the side is halved, the shortcut takes every other pixel, not the average of 2x2
	Scale     residual.Start // initial scales of batch normalisation
}

// Shortcut is id(x), without parameters: x itself, or, if the shape changes, x pooled over 2x2 pixels and padded with
// channels of zeros: [batch, Side*Stride, Side*Stride, In] becomes [batch, Side, Side, Out].
func (s Shape) Shortcut(x *Node) *Node {
	batch := x.Shape().Dimensions[0]
	if s.Stride == 2 {
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
