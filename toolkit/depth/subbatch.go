package depth

import (
	"math"
	"math/rand/v2"
)

// Sub-batches are gates per sample of which a fixed number is open: a random part of each minibatch goes through a block, as
// in DINOv2 (Oquab et al. 2023, arXiv 2304.07193). Since the size of the part is known before the gates are drawn, a compiled
// program can compute it and nothing else.

// parts is the number of parts of a minibatch that sub-batches are made of: the fewer there are, the fewer sizes a program has.
const parts = 8

// Images returns how many images of a minibatch of the given size go through each block with gates of sub-batches: the share
// p_l, rounded to eighths, of which there is one at least, and one image.
func (p Survival) Images(size int) []int {
	images := make([]int, len(p))
	for l, v := range p {
		eighths := max(1, int(math.Floor(parts*v+0.5+1e-9))) // halves are rounded up, whatever their last bit
		images[l] = max(1, (2*eighths*size+parts)/(2*parts))
	}
	return images
}

// Shares returns the survival probabilities that p becomes with sub-batches of minibatches of the given size: the share of the
// images that go through each block. Shares of shares are the same.
func (p Survival) Shares(size int) Survival {
	shares := make(Survival, len(p))
	for l, images := range p.Images(size) {
		shares[l] = float64(images) / float64(size)
	}
	return shares
}

// DrawImages draws the gates of sub-batches for a minibatch of the given size, those of an image each. For every block, from
// the first to the last, each choice of its [Survival.Images] images is equally likely.
func (p Survival) DrawImages(rng *rand.Rand, size int) []Gates {
	gates := make([]Gates, size)
	for i := range gates {
		gates[i] = make(Gates, len(p))
	}
	for l, number := range p.Images(size) {
		for _, i := range rng.Perm(size)[:number] {
			gates[i][l] = true
		}
	}
	return gates
}
