package dataset

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// numbered returns n images; all bytes of image i are first+i, and its label is i modulo classes.
func numbered(n, first, classes int) *Images {
	images := newImages(n, rgb32)
	for i := range n {
		for p := range imageBytes {
			images.Pixels[i*imageBytes+p] = byte(first + i)
		}
		images.Labels[i] = uint16(i % classes)
	}
	return images
}

func TestViewAcrossParts(t *testing.T) {
	v := NewView(numbered(3, 10, 10), numbered(2, 20, 10))
	require.Equal(t, 5, v.Len())

	pixels := make([]byte, 3*imageBytes)
	labels := make([]int32, 3)
	v.Gather([]int32{4, 0, 3}, pixels, labels)
	require.Equal(t, []int32{1, 0, 0}, labels)
	for k, want := range []byte{21, 10, 20} {
		require.Equal(t, want, pixels[k*imageBytes])
		require.Equal(t, want, pixels[(k+1)*imageBytes-1])
	}
	require.Equal(t, byte(12), v.Image(2)[imageBytes-1])
	require.Equal(t, 2, v.Label(2))
	require.Equal(t, -1, v.Coarse(2))
	require.Len(t, v.Image(4), imageBytes)

	first := v.First(4)
	require.Equal(t, 4, first.Len())
	require.Equal(t, byte(20), first.Image(3)[0])
	require.Equal(t, 5, v.First(9).Len())
	require.Panics(t, func() { first.Image(4) })
}

func TestSplit(t *testing.T) {
	images := numbered(100, 0, 10)
	train, validation := split(1, 30, images)
	require.Equal(t, 70, train.Len())
	require.Equal(t, 30, validation.Len())
	requirePartition(t, 100, train, validation)

	again, _ := split(1, 30, images)
	require.Equal(t, train.index, again.index)
	other, _ := split(2, 30, images)
	require.NotEqual(t, train.index, other.index)

	// The split depends on the order in the file, not on the pixels.
	elsewhere, _ := split(1, 30, numbered(100, 50, 7))
	require.Equal(t, train.index, elsewhere.index)
}

// The random numbers of the split must never change: recorded runs name only its seed.
func TestSplitIsFrozen(t *testing.T) {
	_, validation := split(1, 5, numbered(50, 0, 10))
	require.Equal(t, []int32{47, 28, 35, 24, 48}, validation.index)
}

func TestSplitClasses(t *testing.T) {
	a, b := numbered(100, 0, 10), numbered(150, 100, 10)
	train, validation := splitClasses(3, 10, splitPerClass{a, 4}, splitPerClass{b, 2})
	require.Equal(t, 60, validation.Len())
	requirePartition(t, 250, train, validation)

	fromA, fromB := make([]int, 10), make([]int, 10)
	for i := range validation.Len() {
		if part, at := validation.locate(i); part == a {
			fromA[part.Labels[at]]++
		} else {
			fromB[part.Labels[at]]++
		}
	}
	require.Equal(t, []int{4, 4, 4, 4, 4, 4, 4, 4, 4, 4}, fromA)
	require.Equal(t, []int{2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, fromB)

	_, other := splitClasses(4, 10, splitPerClass{a, 4}, splitPerClass{b, 2})
	require.NotEqual(t, validation.index, other.index)

	// The first images of the training part are a mixture of both sets.
	mixed := map[*Images]bool{}
	for i := range 30 {
		part, _ := train.locate(i)
		mixed[part] = true
	}
	require.Len(t, mixed, 2)
}

// requirePartition checks that the views hold each of n images exactly once.
func requirePartition(t *testing.T, n int, views ...View) {
	t.Helper()
	seen := make([]int, n)
	for _, v := range views {
		for _, position := range v.index {
			seen[position]++
		}
	}
	for position, times := range seen {
		require.Equal(t, 1, times, "image %d", position)
	}
}

func TestSets(t *testing.T) {
	require.Equal(t, []string{"shapes", "cifar10", "cifar100", "svhn", "folder"}, Names())
	for name, want := range map[string][4]int{"cifar10": {45_000, 5_000, 10_000, 10}, "cifar100": {45_000, 5_000, 10_000, 100},
		"svhn": {598_388, 6_000, 26_032, 10}} {
		set, err := Find(name)
		require.NoError(t, err)
		require.Equal(t, want, [4]int{set.Train, set.Validation, set.Test, len(set.Classes)}, name)
	}
	data, err := Load("shapes", Options{Validation: 1, Test: 1})
	require.NoError(t, err)
	set, err := Find("shapes")
	require.NoError(t, err)
	require.Equal(t, data.Train.Len(), set.Train)
	require.Equal(t, data.Classes, set.Classes)
	_, err = Find("imagenet")
	require.EqualError(t, err, `there is no data set "imagenet": choose one of shapes, cifar10, cifar100, svhn, folder`)
}

// Two images: in one every channel is (0, 10, 7), in the other (4, 20, 7).
func twoImages() *Images {
	images := newImages(2, rgb32)
	for p := range side * side {
		copy(images.Pixels[p*channels:], []byte{0, 10, 7})
		copy(images.Pixels[imageBytes+p*channels:], []byte{4, 20, 7})
	}
	return images
}

func TestFitChannels(t *testing.T) {
	n, err := FitChannels(NewView(twoImages()))
	require.NoError(t, err)
	require.Equal(t, []float32{2, 15, 7}, n.Mean)
	require.Equal(t, []float32{2, 5, 1}, n.Deviation) // 1 stands for the channel that does not vary
}

func TestFitMeanImage(t *testing.T) {
	images := twoImages()
	images.Pixels[0], images.Pixels[imageBytes] = 0, 3 // one pixel differs from the others
	n, err := FitMeanImage(NewView(images))
	require.NoError(t, err)
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
	images := newImages(3000, rgb32)
	for p := range images.Pixels {
		images.Pixels[p] = 255
	}
	images.Pixels[1234*imageBytes] = 254
	n, err := FitChannels(NewView(images))
	require.NoError(t, err)
	require.Equal(t, []float32{255, 255, 255}, n.Mean)
	fraction := 1.0 / (3000 * 1024)
	require.InEpsilon(t, math.Sqrt(fraction*(1-fraction)), n.Deviation[0], 1e-3)
	require.Equal(t, []float32{1, 1}, n.Deviation[1:])
}
