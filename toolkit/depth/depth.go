// Package depth is Section 3 of "Deep Networks with Stochastic Depth" (Huang, Sun, Liu, Sedra,
// Weinberger 2016, arXiv 1603.09382) in plain Go: how many residual blocks a network has, how likely
// each is to survive, which are open in a minibatch, and how deep the network is on average.
//
// Vocabulary, as in the paper: a block (ResBlock) l = 1..L has a gate b_l, which is open with the
// survival probability p_l and closed with the death rate 1 - p_l. A network whose gates are always
// open has constant depth.
package depth

import (
	"fmt"
	"slices"
)

// Groups is the number of groups of equally shaped blocks: 16, 32 and 64 filters (Section 4).
const Groups = 3

// BlocksPerGroup returns N for a network of 6N+2 layers: a first convolution, three groups of N
// blocks of two convolutions each, and a linear layer. For any other depth the error names the nearest
// depths that exist.
func BlocksPerGroup(layers int) (int, error) { return blocksPerGroup(layers, 2) }

// blocksPerGroup returns N for a network of three groups of N blocks, each block with the given number of convolutions.
func blocksPerGroup(layers, convolutions int) (int, error) {
	step := Groups * convolutions
	n := (layers - 2) / step
	if n >= 1 && step*n+2 == layers {
		return n, nil
	}
	if n < 1 {
		return 0, fmt.Errorf("depth %d is not %dN+2 layers: the nearest is %d", layers, step, step+2)
	}
	return 0, fmt.Errorf("depth %d is not %dN+2 layers: the nearest are %d and %d", layers, step, step*n+2, step*(n+1)+2)
}

// Layers returns the depth 6N+2 of a network with n blocks in each group.
func Layers(n int) int { return 2*Groups*n + 2 }

// Blocks returns L = 3N, the number of residual blocks of a network with n blocks in each group.
func Blocks(n int) int { return Groups * n }

// The kinds of blocks that come with the project, by their names in recipes. Package resnet says what they compute;
// their names and layers are here, so that reading a recipe needs no GoMLX.
const (
	Basic              = "basic" // the paper's
	Preactivation      = "preactivation"
	OriginalBottleneck = "bottleneck-original" // that of the ImageNet networks of 2015
	Bottleneck         = "bottleneck"
	Transformer        = "transformer"
)

// builtIn lists these kinds with the number of convolutions in a block; 0: the depth of the network is its number of
// blocks.
var builtIn = []struct {
	kind         string
	convolutions int
}{{Basic, 2}, {Preactivation, 2}, {Bottleneck, 3}, {OriginalBottleneck, 3}, {Transformer, 0}}

// Named lists the kinds of blocks that come with the project, the paper's first.
func Named() []string {
	names := make([]string, len(builtIn))
	for i, b := range builtIn {
		names[i] = b.kind
	}
	return names
}

// convolutionsOf returns the layers that a block of this kind counts for: two if it is your own.
func convolutionsOf(block string) int {
	for _, b := range builtIn {
		if b.kind == block {
			return b.convolutions
		}
	}
	return 2
}

// GroupsOf returns the number of blocks in each group of equally shaped blocks, for a network with this kind of block and
// this number of layers: N, N, N for 6N+2 layers where a block counts as two, as the paper's and your own do, and for 9N+2
// layers of [Bottleneck]; one group of as many blocks as layers for [Transformer]. Other depths are errors.
func GroupsOf(block string, layers int) ([]int, error) {
	convolutions := convolutionsOf(block)
	if convolutions == 0 {
		if layers < 1 {
			return nil, fmt.Errorf("depth %d: a transformer has one block at least", layers)
		}
		return []int{layers}, nil
	}
	n, err := blocksPerGroup(layers, convolutions)
	if err != nil {
		return nil, err
	}
	return slices.Repeat([]int{n}, Groups), nil
}

// BlocksOf returns L, the number of residual blocks in all groups of [GroupsOf].
func BlocksOf(block string, layers int) (int, error) {
	groups, err := GroupsOf(block, layers)
	return Total(groups), err
}

// Total returns L, the number of residual blocks in groups of these numbers of blocks.
func Total(groups []int) (blocks int) {
	for _, n := range groups {
		blocks += n
	}
	return blocks
}

// LayersIn returns the number of layers of a network with this kind of block and these groups, the inverse of GroupsOf for
// any groups: the first convolution, those of all blocks, and the linear layer.
func LayersIn(block string, groups []int) int {
	if convolutions := convolutionsOf(block); convolutions > 0 {
		return convolutions*Total(groups) + 2
	}
	return Total(groups)
}

// LayersOf is the inverse of BlocksOf: the number of layers of a network with this number of residual blocks.
func LayersOf(block string, blocks int) (int, error) {
	convolutions := convolutionsOf(block)
	layers := convolutions*blocks + 2
	if convolutions == 0 {
		layers = blocks
	}
	if same, err := BlocksOf(block, layers); err != nil || same != blocks {
		return 0, fmt.Errorf("no network has %d blocks of the kind %s: take a multiple of %d, "+
			"or of transformer blocks any number from 1 on", blocks, block, Groups)
	}
	return layers, nil
}
