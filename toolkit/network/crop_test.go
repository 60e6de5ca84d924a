package network

import (
	"image"
	"image/color"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
	"golang.org/x/image/draw"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/runs/recipes"
)

// crops are images of a format, cut by draws, as the device makes them.
func crops(t *testing.T, pixels []byte, f dataset.Format, draws []int32, to dataset.Format) []float32 {
	images := make([]float32, len(pixels))
	for i, p := range pixels {
		images[i] = float32(p)
	}
	n := len(draws) / cropDraws
	out, err := graph.CallOnce(backendtest.Open(t), func(images, draws *graph.Node) *graph.Node { return crop(images, draws, to) },
		tensors.FromFlatDataAndDimensions(images, f.Batch(n)...), tensors.FromFlatDataAndDimensions(draws, n, cropDraws))
	require.NoError(t, err)
	require.Equal(t, to.Batch(n), out.Shape().Dimensions)
	return tensors.MustCopyFlatData[float32](out)
}

// noise returns n images of random pixels.
func noise(n int, f dataset.Format) []byte {
	rng, pixels := rand.New(rand.NewPCG(1, 2)), make([]byte, n*f.Bytes())
	for i := range pixels {
		pixels[i] = byte(rng.Uint32())
	}
	return pixels
}

// A box that is the image gives the image, or its mirror image.
func TestCropOfTheWholeImage(t *testing.T) {
	f := dataset.Format{Height: 20, Width: 20, Channels: 3}
	pixels := noise(2, f)
	for i, v := range crops(t, pixels, f, []int32{0, 0, 20, 20, 0, 0, 0, 20, 20, 1}, f) {
		at := i
		if i >= f.Bytes() {
			at = i - i%60 + 57 - i%60/3*3 + i%3
		}
		require.Equal(t, float32(pixels[at]), v)
	}
}

// Crops are those that x/image/draw makes in bytes, up to 2 levels, and up to rounding those that are shown: enlarged and
// made smaller, at the borders, of one pixel, and of drawn boxes.
func TestCrop(t *testing.T) {
	f, to := dataset.Format{Height: 40, Width: 40, Channels: 3}, dataset.Format{Height: 24, Width: 24, Channels: 3}
	draws := append([]int32{
		0, 0, 40, 40, 0, 8, 8, 24, 24, 1, 31, 0, 9, 13, 0, 5, 30, 33, 10, 1, 39, 39, 1, 1, 0,
	}, drawCrops(rand.New(rand.NewPCG(3, 4)), 8, f)...)
	n := len(draws) / cropDraws
	pixels := noise(n, f)
	made := crops(t, pixels, f, draws, to)
	for i := range n {
		one, drawn, got := pixels[i*f.Bytes():][:f.Bytes()], draws[i*cropDraws:][:cropDraws], made[i*to.Bytes():][:to.Bytes()]
		for at, shown := range cropped(one, f, drawn, to) {
			require.InDelta(t, got[at], shown, 0.51)
		}

		source := image.NewRGBA(image.Rect(0, 0, int(drawn[3]), int(drawn[2]))) // the box alone, as draw would look beyond it
		for y := range int(drawn[2]) {
			for x := range int(drawn[3]) {
				p := one[((y+int(drawn[0]))*f.Width+x+int(drawn[1]))*3:]
				source.SetRGBA(x, y, color.RGBA{p[0], p[1], p[2], 255})
			}
		}
		want := image.NewRGBA(image.Rect(0, 0, to.Width, to.Height))
		draw.BiLinear.Scale(want, want.Bounds(), source, source.Bounds(), draw.Src, nil)
		for at, v := range got {
			y, x := at/(3*to.Width), at/3%to.Width
			if drawn[4] == 1 {
				x = to.Width - 1 - x
			}
			require.InDelta(t, want.Pix[want.PixOffset(x, y)+at%3], v, 2, "image %d, %v", i, drawn)
		}
	}
}

// The draws must never change: recorded runs name only their seed and step.
func TestDrawsAreFrozen(t *testing.T) {
	draws := func() *rand.Rand { return depth.Rand(1, depth.Augmentation, 7) }
	require.Equal(t, []int32{1, 1, 0, 2, 2, 0, -3, 4, 0}, drawShifts(draws(), 3))
	image := dataset.Format{Height: 64, Width: 64, Channels: 3}
	require.Equal(t, []int32{31, 29, 20, 26, 0, 2, 12, 53, 45, 1}, drawCrops(draws(), 2, image))
}

// Boxes have the area and the ratio that are asked for: both uniform, sides exchanged half of the time, where they fit.
func TestDrawnBoxes(t *testing.T) {
	const n, side = 40_000, 512
	draws := drawCrops(rand.New(rand.NewPCG(5, 6)), n, dataset.Format{Height: side, Width: side, Channels: 3})
	require.Len(t, draws, n*cropDraws)
	var small, quarter, wide, flipped, left float64 // shares
	var ratios [4]float64
	for i := range n {
		d := draws[i*cropDraws:]
		top, from, h, w := float64(d[0]), float64(d[1]), float64(d[2]), float64(d[3])
		require.True(t, top >= 0 && from >= 0 && top+h <= side && from+w <= side)
		area, ratio := h*w/(side*side), max(h/w, w/h)
		require.True(t, area > 0.079 && ratio < 4./3+0.02, "%v", d)
		if area < 0.5 { // every such box fits: 0.5 * 4/3 < 1
			small++
			if area < 0.29 {
				quarter++
			}
			ratios[min(3, int((ratio-1)*12))]++
			if w > h {
				wide++
			}
			if w < side {
				left += from / (side - w)
			}
		}
		flipped += float64(d[4])
	}
	require.InDelta(t, 0.5, quarter/small, 0.015)
	require.InDelta(t, 0.5, wide/small, 0.015)
	require.InDelta(t, 0.5, left/small, 0.01)
	require.InDelta(t, 0.5, flipped/n, 0.015)
	// The ratio is uniform on 3/4..4/3: from 1 to x it is between 1/x and x.
	for i, count := range ratios {
		a, b := 1+float64(i)/12, 1+float64(i+1)/12
		require.InDelta(t, (b-a+1/a-1/b)/(4./3-3./4), count/small, 0.015, "%g to %g", a, b)
	}
}

// With a resize_size the network of the smaller images is trained on crops of the larger ones and evaluated on their middle:
// it computes what a network computes that gets these pixels from the host, up to their rounding to bytes.
func TestCropsOfLargerImages(t *testing.T) {
	b, r := backendtest.Open(t), tiny(t)
	r.DType, r.ImageSize, r.ResizeSize, r.Augment = "float64", 16, 20, "crop"
	net, err := Open(b, r, "")
	require.NoError(t, err)
	image := dataset.Format{Height: 16, Width: 16, Channels: 3}
	require.Equal(t, image, net.Network.Image)
	require.Equal(t, dataset.Format{Height: 20, Width: 20, Channels: 3}, net.Data.Format())

	r.ResizeSize, r.Augment = 0, "none"
	plain, err := NewModel(b, r, Input{image, 10, net.Normalization})
	require.NoError(t, err)
	batch := net.Batches().At(0)
	require.Len(t, batch.Augmentation, len(batch.Labels)*cropDraws)
	require.Len(t, batch.Pixels, len(batch.Labels)*20*20*3)
	seen := *batch
	seen.Format, seen.Augmentation, seen.Pixels = image, nil, batch.Augmented(net.Normalization)
	require.InDelta(t, takeStep(t, plain, &seen).Loss, takeStep(t, net.Model, batch).Loss, 2e-3)

	middle := &dataset.Images{Format: image}
	for i := range net.Data.Test.Len() {
		for y := range 16 {
			middle.Pixels = append(middle.Pixels, net.Data.Test.Image(i)[((y+2)*20+2)*3:][:16*3]...)
		}
		middle.Labels = append(middle.Labels, uint16(net.Data.Test.Label(i)))
	}
	net, err = Open(b, net.Recipe, "") // the averages of before
	require.NoError(t, err)
	plain, err = NewModel(b, r, Input{image, 10, net.Normalization})
	require.NoError(t, err)
	require.InDelta(t, evaluate(t, plain, dataset.NewView(middle)).Loss, evaluate(t, net.Model, net.Data.Test).Loss, 1e-12)

	// Shifts, and no augmentation, end in the middle too.
	for _, augment := range []recipes.Augment{"none", "shift"} {
		shown := net.Recipe
		shown.Augment = augment
		batch := net.BatchesOf(shown, net.Network.Survival).At(0)
		require.Len(t, batch.Augmented(net.Normalization), len(batch.Labels)*image.Bytes())
		if augment == "none" {
			require.Equal(t, batch.Pixels[(2*20+2)*3:][:16*3], batch.Augmented(net.Normalization)[:16*3])
		}
	}
}
