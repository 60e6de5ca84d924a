package dataset

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two images: in one every channel is (0, 10, 7), in the other (4, 20, 7).
func twoImages() *Images {
	images := newImages(2)
	for p := range side * side {
		copy(images.Pixels[p*channels:], []byte{0, 10, 7})
		copy(images.Pixels[imageBytes+p*channels:], []byte{4, 20, 7})
	}
	return images
}

func TestFitChannels(t *testing.T) {
	n := FitChannels(NewView(twoImages()))
	require.Equal(t, []float32{2, 15, 7}, n.Mean)
	require.Equal(t, []float32{2, 5, 1}, n.Deviation) // 1 stands for the channel that does not vary
}

func TestFitMeanImage(t *testing.T) {
	images := twoImages()
	images.Pixels[0], images.Pixels[imageBytes] = 0, 3 // one pixel differs from the others
	n := FitMeanImage(NewView(images))
	require.Len(t, n.Mean, imageBytes)
	require.Equal(t, []float32{1.5, 15, 7, 2, 15, 7}, n.Mean[:6])

	// By hand, from all 6,144 values: 1,024 each of 0 10 7, 20 7 and 1,023 of 4, one of 3.
	count := 6144.0
	mean := (1024*(0+10+7+20+7) + 1023*4 + 3) / count
	squares := (1024*(0+100+49+400+49) + 1023*16 + 9) / count
	require.Len(t, n.Deviation, 1)
	require.InDelta(t, math.Sqrt(squares-mean*mean), n.Deviation[0], 1e-6)
}

// Sums must not overflow or round: 3,000 images with pixels of 255, except for one.
func TestFitIsExact(t *testing.T) {
	images := newImages(3000)
	for p := range images.Pixels {
		images.Pixels[p] = 255
	}
	images.Pixels[1234*imageBytes] = 254
	n := FitChannels(NewView(images))
	require.Equal(t, []float32{255, 255, 255}, n.Mean)
	fraction := 1.0 / (3000 * 1024)
	require.InEpsilon(t, math.Sqrt(fraction*(1-fraction)), n.Deviation[0], 1e-3)
	require.Equal(t, []float32{1, 1}, n.Deviation[1:])
}
