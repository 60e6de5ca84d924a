package network

import (
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/dataset"
)

// MaxShift is by how many pixels augmentation moves an image at most, in each direction (Section 4).
const MaxShift = 4

// drawAugmentation draws for each of size images how far it is moved down and to the right, in
// [-MaxShift, MaxShift], and whether it is flipped: [size, 3], as the compiled step takes it.
func drawAugmentation(rng *rand.Rand, size int) []int32 {
	draws := make([]int32, 0, 3*size)
	for range size {
		draws = append(draws, rng.Int32N(2*MaxShift+1)-MaxShift, rng.Int32N(2*MaxShift+1)-MaxShift, rng.Int32N(2))
	}
	return draws
}

// normalize turns pixels [batch, 32, 32, 3] of bytes into (x - mean)/deviation of the given type.
func normalize(pixels *Node, n dataset.Normalization, dtype dtypes.DType) *Node {
	g := pixels.Graph()
	constant := func(values []float32) *Node {
		if len(values) == dataset.ImageBytes {
			return ConvertDType(Reshape(Const(g, values), 1, dataset.Side, dataset.Side, dataset.Channels), dtype)
		}
		return ConvertDType(Reshape(Const(g, values), 1, 1, 1, len(values)), dtype)
	}
	return Div(Sub(ConvertDType(pixels, dtype), constant(n.Mean)), constant(n.Deviation))
}

// augment moves and flips normalised images [batch, 32, 32, 3] by draws [batch, 3] of
// drawAugmentation; what comes in from outside is zero. Both act on rows and columns apart, so each is
// a product with a matrix that selects: output row i is input row i - down, output column j is input
// column j - right, or its mirror image.
func augment(images, draws *Node) *Node {
	g, batch := images.Graph(), images.Shape().Dimensions[0]
	draw := func(k int) *Node { return Reshape(Slice(draws, AxisRange(), AxisElem(k)), batch, 1, 1) }
	square := draws.Shape().Clone()
	square.Dimensions = []int{batch, dataset.Side, dataset.Side}
	to, from := Iota(g, square, 1), Iota(g, square, 2)
	selects := func(source *Node) *Node { return ConvertDType(Equal(source, from), images.DType()) }

	rows := selects(Sub(to, draw(0)))
	mirrored := Where(Equal(BroadcastToShape(draw(2), square), OnesLike(to)), Sub(Scalar(g, square.DType, dataset.Side-1), to), to)
	columns := selects(Sub(mirrored, draw(1)))

	moved := Einsum("bij,bjkc->bikc", rows, images)
	return Einsum("bkw,bwic->bikc", columns, TransposeAllAxes(moved, 0, 2, 1, 3))
}
