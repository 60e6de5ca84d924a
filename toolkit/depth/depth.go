// Package depth is Section 3 of "Deep Networks with Stochastic Depth" (Huang, Sun, Liu, Sedra,
// Weinberger 2016, arXiv 1603.09382) in plain Go: how many residual blocks a network has, how likely
// each is to survive, which are open in a minibatch, and how deep the network is on average.
//
// Vocabulary, as in the paper: a block (ResBlock) l = 1..L has a gate b_l, which is open with the
// survival probability p_l and closed with the death rate 1 - p_l. A network whose gates are always
// open has constant depth.
package depth

import "fmt"

// Groups is the number of groups of equally shaped blocks: 16, 32 and 64 filters (Section 4).
const Groups = 3

// BlocksPerGroup returns N for a network of 6N+2 layers: a first convolution, three groups of N
// blocks of two convolutions each, and a linear layer. Other depths are refused, and the error names
// the nearest that exist.
func BlocksPerGroup(layers int) (int, error) {
	n := (layers - 2) / (2 * Groups)
	if n >= 1 && Layers(n) == layers {
		return n, nil
	}
	below, above := Layers(n), Layers(n+1)
	if n < 1 {
		return 0, fmt.Errorf("depth %d is not 6N+2 layers: the nearest is %d", layers, Layers(1))
	}
	return 0, fmt.Errorf("depth %d is not 6N+2 layers: the nearest are %d and %d", layers, below, above)
}

// Layers returns the depth 6N+2 of a network with n blocks in each group.
func Layers(n int) int { return 2*Groups*n + 2 }

// Blocks returns L = 3N, the number of residual blocks of a network with n blocks in each group.
func Blocks(n int) int { return Groups * n }
