package dataset

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// numbered returns n images; all bytes of image i are first+i, and its label is i modulo classes.
func numbered(n, first, classes int) *Images {
	images := newImages(n)
	for i := range n {
		for p := range imageBytes {
			images.Pixels[i*imageBytes+p] = byte(first + i)
		}
		images.Labels[i] = uint8(i % classes)
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
