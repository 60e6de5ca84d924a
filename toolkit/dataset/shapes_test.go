package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShapes(t *testing.T) {
	d, err := Load("shapes", Options{Seed: 1})
	require.NoError(t, err)
	require.Equal(t, []int{8_000, 1_000, 2_000}, []int{d.Train.Len(), d.Validation.Len(), d.Test.Len()})
	require.Len(t, d.Classes, 10)
	for class, n := range d.Train.Counts(10) {
		require.Equal(t, 800, n, d.Classes[class])
	}

	few, err := Load("shapes", Options{Seed: 1, Train: 25, Validation: 25, Test: 5})
	require.NoError(t, err)
	require.Equal(t, []int{25, 25, 5}, []int{few.Train.Len(), few.Validation.Len(), few.Test.Len()})
	for i := range 25 {
		require.Equal(t, d.Train.Image(i), few.Train.Image(i), "image %d depends on their number", i)
		require.NotEqual(t, few.Train.Image(i), few.Validation.Image(i))
	}
	other, err := Load("shapes", Options{Seed: 2, Train: 25})
	require.NoError(t, err)
	require.NotEqual(t, few.Train.Image(0), other.Train.Image(0))
}

// The same seed must give the same bytes everywhere and always. A deliberate change of the drawing changes this sum, and makes
// recorded runs on shapes incomparable.
func TestShapesAreFrozen(t *testing.T) {
	sum := sha256.Sum256(drawShapes(1, streamShapesTrain, side, 200).Pixels)
	require.Equal(t, "374a34c7667385604ce68ad0beeb1a2a224444130183b1d845a6b2b8fe9446a1", hex.EncodeToString(sum[:]))
}

// At another size a shape is the same drawing: averaged over squares of a quarter of the image it has the same colours, up to
// the noise, and images of every size are drawn.
func TestShapesOfOtherSizes(t *testing.T) {
	averages := func(images *Images, image int) (means [4][4][3]float64) {
		f := images.Format
		for p, x := range images.Pixels[image*f.Bytes():][:f.Bytes()] {
			y, x0 := p/channels/f.Width*4/f.Height, p/channels%f.Width*4/f.Width
			means[y][x0][p%channels] += float64(x) * 16 / float64(f.Height*f.Width)
		}
		return means
	}
	usual := drawShapes(3, streamShapesTrain, side, 20)
	for _, size := range []int{8, 16, 48, 64, 100, 256} {
		images := drawShapes(3, streamShapesTrain, size, 20)
		require.Equal(t, Format{size, size, 3}, images.Format)
		require.Equal(t, usual.Labels, images.Labels)
		var total, apart float64
		for i := range 20 {
			want, got := averages(usual, i), averages(images, i)
			for y := range 4 {
				for x := range 4 {
					for c := range channels {
						total++
						apart += math.Abs(want[y][x][c] - got[y][x][c])
					}
				}
			}
		}
		t.Logf("%d pixels: %.2f of 255 apart", size, apart/total)
		require.Less(t, apart/total, 2+60/float64(size), "%d", size) // the noise of the mean of (size/4)^2 pixels
	}
	for size, want := range map[int]string{7: "the size of shapes is 7: it must be from 8 to 512", -1: "the size of shapes is -1",
		513: "the size of shapes is 513"} {
		_, err := Load("shapes", Options{Size: size})
		require.ErrorContains(t, err, want)
	}
	_, err := Load("shapes", Options{Size: 256, Train: 15_626})
	require.EqualError(t, err, "shapes: 15,626 images are more than the 15,625 that fit into memory: ask for fewer")
	_, err = Load("cifar10", Options{Size: 64})
	require.EqualError(t, err, "CIFAR-10 has images of 32x32 pixels only, not 64x64: leave the size out")
}

// The coverage of a pixel is the area of the polygon in it: a part at the edges, all inside.
func TestFill(t *testing.T) {
	p := newPainter(side)
	left, bottom := 2*unit+unit/2, 5*unit+unit/4
	square := []point{{left, 3 * unit}, {6 * unit, 3 * unit}, {6 * unit, bottom}, {left, bottom}}
	hole := []point{{4 * unit, 4 * unit}, {5 * unit, 4 * unit}, {5 * unit, 5 * unit}, {4 * unit, 5 * unit}}
	p.fill([][]point{square, hole}, flat(colour{200, 100, 40}))
	at := func(x, y int) colour { return p.pixels[y*side+x] }
	require.Equal(t, colour{200, 100, 40}, at(3, 3))
	require.Equal(t, colour{100, 50, 20}, at(2, 3)) // half of it
	require.Equal(t, colour{50, 25, 10}, at(3, 5))  // a quarter
	require.Equal(t, colour{}, at(4, 4))            // the hole
	require.Equal(t, colour{}, at(6, 3))
}

func TestNoiseHasItsDeviation(t *testing.T) {
	p := newPainter(side)
	p.source = newSource(1, 2, 3)
	p.noise(20)
	var total, squares float64
	for _, rgb := range p.pixels {
		for _, x := range rgb {
			total += float64(x)
			squares += float64(x) * float64(x)
		}
	}
	// 3,072 values: the mean has deviation 0.36, the variance 10 (of 400).
	require.InDelta(t, 0, total/imageBytes, 1.5)
	require.InDelta(t, 400, squares/imageBytes, 40)
}
