package network

import (
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/dataset"
)

// MaxShift is the largest shift by augmentation, in pixels and in each direction (Section 4).
const MaxShift = 4

const shiftDraws = 3 // for an image

// drawShifts draws for each of size images its shifts down and to the right, in [-MaxShift, MaxShift], and whether it
// is flipped: [size, 3], an input of the compiled step.
func drawShifts(rng *rand.Rand, size int) []int32 {
	draws := make([]int32, 0, shiftDraws*size)
	for range size {
		draws = append(draws, rng.Int32N(2*MaxShift+1)-MaxShift, rng.Int32N(2*MaxShift+1)-MaxShift, rng.Int32N(2))
	}
	return draws
}

// normalize turns pixels [batch, height, width, channels] of bytes into (x - mean)/deviation in the given type.
func normalize(pixels *Node, n dataset.Normalization, dtype dtypes.DType) *Node {
	g, image := pixels.Graph(), pixels.Shape().Dimensions[1:]
	constant := func(values []float32) *Node {
		if len(values) == image[0]*image[1]*image[2] {
			return ConvertDType(Reshape(Const(g, values), 1, image[0], image[1], image[2]), dtype)
		}
		return ConvertDType(Reshape(Const(g, values), 1, 1, 1, len(values)), dtype)
	}
	return Div(Sub(ConvertDType(pixels, dtype), constant(n.Mean)), constant(n.Deviation))
}

// shift moves and flips normalised images [batch, height, width, channels] by draws [batch, 3] of drawShifts; what
// comes in from outside is zero. Rows and columns are independent, so there is one product with a selecting matrix for each:
// output row i is input row i - down, output column j is input column j - right, or its mirror image.
func shift(images, draws *Node) *Node {
	g, d := images.Graph(), images.Shape().Dimensions
	batch, height, width := d[0], d[1], d[2]
	draw := func(k int) *Node { return Reshape(Slice(draws, AxisRange(), AxisElem(k)), batch, 1, 1) }
	positions := func(size, axis int) *Node { // in [batch, size, size], along one axis
		return Iota(g, shapes.Make(draws.DType(), batch, size, size), axis)
	}
	selects := func(source, from *Node) *Node { return ConvertDType(Equal(source, from), images.DType()) }

	rows := selects(Sub(positions(height, 1), draw(0)), positions(height, 2))
	to := positions(width, 1)
	flip := Equal(BroadcastToShape(draw(2), to.Shape()), OnesLike(to))
	mirrored := Where(flip, Sub(Scalar(g, to.DType(), width-1), to), to)
	columns := selects(Sub(mirrored, draw(1)), positions(width, 2))

	return transform(rows, columns, images)
}

// shifted is shift on the host, for an image of a format. What comes in from outside is the mean, of the channels or of each
// pixel.
func shifted(image []byte, f dataset.Format, draws []int32, mean []float32) []byte {
	moved := make([]byte, len(image))
	for at := range moved {
		y, x, channel := at/(f.Width*f.Channels), at/f.Channels%f.Width, at%f.Channels
		if draws[2] == 1 {
			x = f.Width - 1 - x
		}
		y, x = y-int(draws[0]), x-int(draws[1])
		if y < 0 || x < 0 || y >= f.Height || x >= f.Width {
			moved[at] = byte(mean[at%len(mean)] + 0.5)
			continue
		}
		moved[at] = image[(y*f.Width+x)*f.Channels+channel]
	}
	return moved
}

// transform multiplies the rows and the columns of images [batch, height, width, channels] by matrices, rows [batch, to,
// height] and columns [batch, to, width].
func transform(rows, columns, images *Node) *Node {
	moved := Einsum("bij,bjkc->bikc", rows, images)
	return Einsum("bkw,bwic->bikc", columns, TransposeAllAxes(moved, 0, 2, 1, 3))
}
