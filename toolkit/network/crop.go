package network

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/runs/recipes"
)

// This file has what makes images of one size of stored ones of another: the random crop of training, and the centre.

// imageOf is the format of the network's images, for a recipe and stored images of a format.
func imageOf(recipe recipes.Recipe, stored dataset.Format) dataset.Format {
	if recipe.ResizeSize == 0 {
		return stored
	}
	return recipe.Image()
}

const cropDraws = 5 // for an image

// drawCrops draws for each of size images the box that is cut out, and whether it is flipped: top, left, height, width, flip,
// [size, 5], an input of the compiled step. The box is that of the code with which the paper's network for ImageNet was trained,
// fb.resnet.torch (where interpolation is bicubic): its area is uniform from 8 % to all of the image's, its ratio uniform from
// 3/4 to 4/3, with sides exchanged half of the time; after ten boxes that do not fit, it is the whole image.
func drawCrops(rng *rand.Rand, size int, image dataset.Format) []int32 {
	draws := make([]int32, 0, cropDraws*size)
	for range size {
		top, left, height, width := 0, 0, image.Height, image.Width
		for range 10 {
			area := (0.08 + 0.92*rng.Float64()) * float64(image.Height*image.Width)
			ratio := 3./4 + (4./3-3./4)*rng.Float64()
			w, h := int(math.Round(math.Sqrt(area*ratio))), int(math.Round(math.Sqrt(area/ratio)))
			if rng.IntN(2) == 1 {
				w, h = h, w
			}
			if h <= image.Height && w <= image.Width {
				height, width = h, w
				top, left = rng.IntN(image.Height-h+1), rng.IntN(image.Width-w+1)
				break
			}
		}
		draws = append(draws, int32(top), int32(left), int32(height), int32(width), rng.Int32N(2))
	}
	return draws
}

// crop cuts a box out of each of the normalised images [batch, height, width, channels], resizes it to the format to, and
// flips it, by draws [batch, 5] of drawCrops. Each pixel is a mean of pixels of the box with weights that fall linearly with
// their distance: bilinear interpolation, over as many pixels as one pixel of the result covers if that is more than one (as
// Pillow and torchvision's antialias do). So rows and columns are products with a matrix of weights here too.
func crop(images, draws *Node, to dataset.Format) *Node {
	g, d, dtype := images.Graph(), images.Shape().Dimensions, images.DType()
	draw := func(k int) *Node {
		return ConvertDType(Reshape(Slice(draws, AxisRange(), AxisElem(k)), d[0], 1, 1), dtype)
	}
	weights := func(first, length *Node, from, to int) *Node { // [batch, to, from]
		positions := func(axis int) *Node { return Iota(g, shapes.Make(dtype, d[0], to, from), axis) }
		one, source, scale := ScalarOne(g, dtype), positions(2), DivScalar(length, float64(to)) // pixels for one of the result
		middle := Add(first, Mul(AddScalar(positions(1), 0.5), scale))
		near := Sub(one, Div(Abs(Sub(AddScalar(source, 0.5), middle)), Max(scale, one)))
		inside := LogicalAnd(GreaterOrEqual(source, first), LessThan(source, Add(first, length)))
		near = Where(inside, Max(near, ZerosLike(near)), ZerosLike(near))
		return Div(near, ReduceAndKeep(near, ReduceSum, 2))
	}
	rows := weights(draw(0), draw(2), d[1], to.Height)
	columns := weights(draw(1), draw(3), d[2], to.Width)
	flip := BroadcastToShape(Equal(draw(4), ScalarOne(g, dtype)), columns.Shape())
	return transform(rows, Where(flip, Reverse(columns, 1), columns), images)
}

// cropped is crop on the host, for one image of a format.
func cropped(image []byte, f dataset.Format, draws []int32, to dataset.Format) []byte {
	rows := boxWeights(int(draws[0]), int(draws[2]), f.Height, to.Height)
	columns := boxWeights(int(draws[1]), int(draws[3]), f.Width, to.Width)
	if draws[4] == 1 {
		slices.Reverse(columns)
	}
	made := make([]byte, to.Bytes())
	for at := range made {
		row, column, value := rows[at/(to.Width*to.Channels)], columns[at/to.Channels%to.Width], 0.5
		for y, v := range row {
			for x := 0; x < len(column) && v > 0; x++ {
				value += v * column[x] * float64(image[(y*f.Width+x)*f.Channels+at%to.Channels])
			}
		}
		made[at] = byte(value)
	}
	return made
}

// boxWeights returns the matrix [to, from] of weights for a box of this length.
func boxWeights(first, length, from, to int) [][]float64 {
	weights, scale := make([][]float64, to), float64(length)/float64(to)
	for i := range weights {
		weights[i] = make([]float64, from)
		middle, sum := float64(first)+(float64(i)+0.5)*scale, 0.0
		for at := first; at < first+length; at++ {
			weights[i][at] = max(0, 1-math.Abs(float64(at)+0.5-middle)/max(scale, 1))
			sum += weights[i][at]
		}
		for at := range weights[i] {
			weights[i][at] /= sum
		}
	}
	return weights
}

// centre cuts the middle of a format out of images [batch, height, width, channels], which may have this format already.
func centre(images *Node, to dataset.Format) *Node {
	height, width := images.Shape().Dimensions[1], images.Shape().Dimensions[2]
	if height == to.Height && width == to.Width {
		return images
	}
	top, left := (height-to.Height)/2, (width-to.Width)/2
	return Slice(images, AxisRange(), AxisRange(top, top+to.Height), AxisRange(left, left+to.Width))
}

// cut is centre on the host, for one image of a format.
func cut(image []byte, f, to dataset.Format) []byte {
	top, left := (f.Height-to.Height)/2, (f.Width-to.Width)/2
	var middle []byte
	for y := top; y < top+to.Height; y++ {
		middle = append(middle, image[(y*f.Width+left)*f.Channels:][:to.Width*to.Channels]...)
	}
	return middle
}
