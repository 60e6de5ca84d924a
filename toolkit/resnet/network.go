// Package resnet is the network of the paper (Section 4) as a GoMLX graph, in the textbook form: L
// residual blocks one after the other, each a branch f_l times its gate b_l plus its shortcut. It is
// there to be read, and to be the truth that package survivors, the engine that computes open blocks
// only, is tested against. Both share this package's variables.
package resnet

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"

	"stochdepth/toolkit/depth"
)

// Constants of the network and of its batch normalisation (torch/nn's defaults).
const (
	Side     = 32 // height and width of an image
	Channels = 3  // colours of an image

	Epsilon  = 1e-5 // added to the variance in batch normalisation
	Momentum = 0.1  // share of the newest batch in the running averages
)

// Filters are the channels of the three groups; each group after the first halves the side.
var Filters = [depth.Groups]int{16, 32, 64}

// Network says which network to build. Its zero values are the paper's choices, except for the fields
// without which there is no network: N, Classes and Survival.
type Network struct {
	N        int            // blocks in each group; the depth is 6N+2
	Classes  int            // outputs of the linear layer
	Survival depth.Survival // p_l of each of the 3N blocks

	// Subsample makes the shortcut between groups take every other pixel, as the authors' code did
	// until February 2017, instead of the average of 2x2 pixels.
	Subsample bool
	// Inverted divides an open branch by p_l in training and does not scale at test. The paper scales
	// at test only (Eq. 5).
	Inverted bool
	// Recompute is for the engine of package survivors: for the gradient it computes a block's
	// convolutions again instead of keeping their outputs, a third of the memory for a third more time.
	Recompute bool
	// Target is for the engine too: the kind of device that its program is written for, backend.CPU or
	// backend.CUDA. The zero value is that of the graph's backend.
	Target string
	// DType is what activations are computed in: Float32 (the default), BFloat16 or Float64.
	DType dtypes.DType
}

// New returns the paper's network of a depth of 6N+2 layers. The survival probabilities must be one
// for each of the 3N blocks.
func New(layers, classes int, survival depth.Survival) (*Network, error) {
	n, err := depth.BlocksPerGroup(layers)
	if err != nil {
		return nil, err
	}
	if len(survival) != depth.Blocks(n) {
		return nil, fmt.Errorf("%d survival probabilities for a network of %d blocks", len(survival), depth.Blocks(n))
	}
	return &Network{N: n, Classes: classes, Survival: survival, DType: dtypes.Float32}, nil
}

// ParameterDType is the type of weights, gradients and running averages: Float64 for a Float64
// network, else Float32, also under BFloat16.
func (n *Network) ParameterDType() dtypes.DType {
	if n.DType == dtypes.Float64 {
		return dtypes.Float64
	}
	return dtypes.Float32
}

// Stage is a run of consecutive blocks of equal shape. Their parameters are kept together on a
// leading axis of length Count, so that a block is chosen by an index.
type Stage struct {
	Name   string // scope of its variables: "group2" or, for the first block of a group, "group2/transition"
	First  int    // index of its first block among all blocks, from 0
	Count  int    // blocks in it, at least 1
	In     int    // channels of its input
	Out    int    // channels of its output
	Stride int    // 2 for a transition, the block that halves the side, else 1
	Side   int    // height and width of its output
}

// Transition reports whether the stage is the first block of group 2 or 3: half the side, twice the
// channels, a shortcut that pools and pads.
func (s Stage) Transition() bool { return s.Stride != 1 }

// Stages lists the stages from input to output. With N = 1 groups 2 and 3 have a transition only.
func (n *Network) Stages() []Stage {
	stages := []Stage{{Name: "group1", Count: n.N, In: Filters[0], Out: Filters[0], Stride: 1, Side: Side}}
	for group := 1; group < depth.Groups; group++ {
		first, in, out := group*n.N, Filters[group-1], Filters[group]
		name, side := fmt.Sprintf("group%d", group+1), Side>>group
		stages = append(stages, Stage{Name: name + "/transition", First: first, Count: 1, In: in, Out: out, Stride: 2, Side: side})
		if n.N > 1 {
			stages = append(stages, Stage{Name: name, First: first + 1, Count: n.N - 1, In: out, Out: out, Stride: 1, Side: side})
		}
	}
	return stages
}
