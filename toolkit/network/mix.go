package network

import (
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/stat/distuv"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/runs/recipes"
)

// Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019): every image is mixed with a partner, and so are their labels. As by
// default in timm there is one draw for a minibatch, the partner of an image is that at the same place from the minibatch's end,
// and with both methods a fair coin chooses.

// The draws of a minibatch: an image keeps the share own of its label, and in a box of pixels, from top and left to before bottom
// and right, the share inside of its pixels. Mixup's box is the whole image; CutMix's keeps nothing inside.
const (
	mixOwn = iota
	mixInside
	mixTop
	mixLeft
	mixBottom
	mixRight
	mixDraws
)

// drawMix draws how the images of a minibatch, of a format, are mixed: [mixDraws], an input of the compiled step; nil if the
// recipe mixes none.
func drawMix(rng *rand.Rand, recipe recipes.Recipe, image dataset.Format) []float32 {
	cut, alpha := recipe.CutMix > 0, recipe.CutMix
	if recipe.Mixup > 0 && (!cut || rng.IntN(2) == 0) {
		cut, alpha = false, recipe.Mixup
	}
	if alpha == 0 {
		return nil
	}
	beta := distuv.Beta{Alpha: alpha, Beta: alpha, Src: rng}
	own := beta.Rand()
	for math.IsNaN(own) { // 0/0, as a small alpha rarely gives
		own = beta.Rand()
	}
	if !cut {
		return []float32{float32(own), float32(own), 0, 0, float32(image.Height), float32(image.Width)}
	}
	// The box has its middle anywhere and is cut off at the edges: its pixels count.
	side := math.Sqrt(1 - own)
	span := func(length int) (from, to int) {
		half, middle := int(float64(length)*side)/2, rng.IntN(length)
		return max(0, middle-half), min(length, middle+half)
	}
	top, bottom := span(image.Height)
	left, right := span(image.Width)
	own = 1 - float64((bottom-top)*(right-left))/float64(image.Height*image.Width)
	return []float32{float32(own), 0, float32(top), float32(left), float32(bottom), float32(right)}
}

// mix mixes images [batch, height, width, channels] by draws of drawMix.
func mix(images, draws *Node) *Node {
	g, dtype, d := images.Graph(), images.DType(), images.Shape().Dimensions
	draw := func(k int) *Node { // for each pixel, [1, height, width, 1]
		return BroadcastToDims(Reshape(ConvertDType(Slice(draws, AxisElem(k)), dtype), 1, 1, 1, 1), 1, d[1], d[2], 1)
	}
	within := func(axis, from, to int) *Node {
		at := Iota(g, shapes.Make(dtype, 1, d[1], d[2], 1), axis)
		return LogicalAnd(GreaterOrEqual(at, draw(from)), LessThan(at, draw(to)))
	}
	share := draw(mixInside)
	share = Where(LogicalAnd(within(1, mixTop, mixBottom), within(2, mixLeft, mixRight)), share, OnesLike(share))
	return Add(Mul(images, share), Mul(Reverse(images, 0), OneMinus(share)))
}

// mixed is mix on the host, for the pixels of images of a format.
func mixed(pixels []byte, f dataset.Format, draws []float32) []byte {
	out, n := make([]byte, len(pixels)), len(pixels)/f.Bytes()
	for at, own := range pixels {
		image, pixel := at/f.Bytes(), at%f.Bytes()
		y, x := float32(pixel/(f.Width*f.Channels)), float32(pixel/f.Channels%f.Width)
		if share := draws[mixInside]; y >= draws[mixTop] && y < draws[mixBottom] && x >= draws[mixLeft] && x < draws[mixRight] {
			own = byte(share*float32(own) + (1-share)*float32(pixels[(n-1-image)*f.Bytes()+pixel]) + 0.5)
		}
		out[at] = own
	}
	return out
}

// TrainingLoss returns the mean cross-entropy of a training step, with the recipe's label smoothing and mixed labels, for the
// logits and the inputs of [Model.TrainingLogits].
func (m *Model) TrainingLoss(logits *Node, inputs []*Node) *Node {
	classes, smoothing := logits.Shape().Dimensions[1], m.Recipe.LabelSmoothing
	targets := OneHot(inputs[1], classes, logits.DType())
	if smoothing > 0 { // GoMLX has none
		targets = AddScalar(MulScalar(targets, 1-smoothing), smoothing/float64(classes))
	}
	if m.Recipe.Mixes() {
		own := ConvertDType(Slice(mixInput(inputs), AxisElem(mixOwn)), targets.DType())
		own = BroadcastToDims(Reshape(own, 1, 1), targets.Shape().Dimensions...)
		targets = Add(Mul(targets, own), Mul(Reverse(targets, 0), OneMinus(own)))
	}
	return ReduceAllMean(crossEntropy(logits, targets))
}

// mostOf returns for each image of a training step the label of which it has most.
func (m *Model) mostOf(inputs []*Node) *Node {
	labels := inputs[1]
	if !m.Recipe.Mixes() {
		return labels
	}
	own := BroadcastToDims(Slice(mixInput(inputs), AxisElem(mixOwn)), labels.Shape().Dimensions...)
	return Where(GreaterOrEqual(own, MulScalar(OnesLike(own), 0.5)), labels, Reverse(labels, 0))
}

// mixInput is the input of a training step with the draws of drawMix.
func mixInput(inputs []*Node) *Node { return inputs[len(inputs)-1] }
