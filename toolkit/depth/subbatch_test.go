package depth_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
)

func TestImagesOfSubBatches(t *testing.T) {
	p := depth.Survival{1, 0.94, 0.9, 0.8125, 0.5, 0.1, 0.001}
	require.Equal(t, []int{128, 128, 112, 112, 64, 16, 16}, p.Images(128))
	require.Equal(t, []int{17, 17, 15, 15, 9, 2, 2}, p.Images(17))
	require.Equal(t, []int{3, 3, 3, 3, 2, 1, 1}, p.Images(3))
	require.Equal(t, []int{1, 1, 1, 1, 1, 1, 1}, p.Images(1))
	require.Equal(t, depth.Survival{1, 1, 0.875, 0.875, 0.5, 0.125, 0.125}, p.Shares(128))
	linear := depth.Linear(54, 0.5)
	require.InDelta(t, linear.ExpectedOpen(), linear.Shares(128).ExpectedOpen(), 0.5, "rounding makes no network deeper")

	fine := make(depth.Survival, 1000)
	for i := range fine {
		fine[i] = float64(i+1) / 1000
	}
	for size := range 300 {
		size++
		images := fine.Images(size)
		require.Equal(t, images, fine.Shares(size).Images(size), size)
		require.LessOrEqual(t, len(slices.Compact(images)), 8, "sizes")
		require.Equal(t, size, fine.Images(size)[999])
		for i, n := range fine.Images(size) {
			require.LessOrEqual(t, math.Abs(float64(n)-fine[i]*float64(size)), max(1, float64(size)/8+0.5))
		}
	}
}

// Each block has exactly its number of images, and each image is in it with the same probability, whether or not another image
// or another block is: within five standard errors over 20,000 minibatches.
func TestDrawImages(t *testing.T) {
	const draws, size = 20000, 16
	p := depth.Survival{1, 0.75, 0.5, 0.25}
	var opened [size][4]float64
	var both, across float64 // images 2 and 9 in block 3; image 2 in blocks 3 and 4
	for step := range int64(draws) {
		gates := p.DrawImages(depth.Rand(1, depth.GateDraws, step), size)
		require.Len(t, gates, size)
		for l, n := range []int{16, 12, 8, 4} {
			count := 0
			for i := range gates {
				if gates[i][l] {
					count++
					opened[i][l]++
				}
			}
			require.Equal(t, n, count)
		}
		if gates[2][2] && gates[9][2] {
			both++
		}
		if gates[2][2] && gates[2][3] {
			across++
		}
	}
	near := func(want, got float64) {
		require.InDelta(t, want, got/draws, 5*math.Sqrt(want*(1-want)/draws)+1e-12)
	}
	for i := range opened {
		for l, v := range p {
			near(v, opened[i][l])
		}
	}
	near(8./16*7/15, both)
	near(0.5*0.25, across)
	require.Equal(t, p.DrawImages(depth.Rand(7, depth.GateDraws, 3), 5), p.DrawImages(depth.Rand(7, depth.GateDraws, 3), 5))
}
