package depth

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// Gates holds b_1..b_L for one minibatch: Gates[l-1] says whether block l is open.
type Gates []bool

// Draw draws the gates of one minibatch: b_l ~ Bernoulli(p_l), independently (Section 3). Like the
// authors' code it closes a gate when a uniform number is below the death rate.
func (p Survival) Draw(rng *rand.Rand) Gates {
	gates := make(Gates, len(p))
	for i, v := range p {
		gates[i] = rng.Float64() >= 1-v
	}
	return gates
}

// AllOpen returns the gates of a network of constant depth.
func AllOpen(blocks int) Gates {
	return slices.Repeat(Gates{true}, blocks)
}

// Open returns the number of open blocks.
func (g Gates) Open() int {
	var n int
	for _, open := range g {
		if open {
			n++
		}
	}
	return n
}

// Numbers are the gates as 1 for open and 0 for closed.
func Numbers[T byte | float32 | float64](g Gates) []T {
	numbers := make([]T, len(g))
	for i, open := range g {
		if open {
			numbers[i] = 1
		}
	}
	return numbers
}

// String draws the gates from block 1 to block L, an open one as a square and a closed one as a dot: "■ ■ · ■".
func (g Gates) String() string {
	signs := make([]string, len(g))
	for i, open := range g {
		signs[i] = "·"
		if open {
			signs[i] = "■"
		}
	}
	return strings.Join(signs, " ")
}
