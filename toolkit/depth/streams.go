package depth

import (
	"math/rand/v2"

	"stochdepth/toolkit/internal/splitmix"
)

// Stream names one use of randomness in a run. A run has one seed; every stream is derived from it
// and independent of the others, so that a constant-depth and a stochastic run with the same seed
// start from the same weights and see the same images in the same order.
type Stream uint64

// The streams of a run.
const (
	InitialWeights Stream = iota + 1
	Shuffling
	Augmentation
	GateDraws
	Mixing
)

// Rand returns the generator of one stream at one position: an epoch for Shuffling, a step for
// Augmentation, GateDraws and Mixing. It depends on nothing else, so a resumed run goes on in each stream
// without any stored state.
func Rand(seed int64, stream Stream, position int64) *rand.Rand {
	return rand.New(rand.NewPCG(splitmix.Mix(uint64(seed)^uint64(stream)<<56),
		splitmix.Mix(uint64(position)+uint64(stream)*0x9e3779b97f4a7c15)))
}
