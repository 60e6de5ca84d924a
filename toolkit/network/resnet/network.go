// Package resnet is the network of the paper (Section 4), and similar ones, as GoMLX graphs: a stem, residual blocks one
// after the other, and a head. The blocks are [Basic], [Preactivation], [Bottleneck] and [Transformer], each in a file
// that reads like its equation, and those that [Register] adds. Package residual says what a block is.
//
// [Network.Forward] is the textbook form, written to be read. Package survivors, the engine that computes only open
// blocks, is tested against it.
package resnet

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/residual"
)

// Network says which network to build. Zero values are the paper's choices, except in the fields that every network needs,
// which [New] sets.
type Network struct {
	Block    string         // kind of its blocks, one of [Blocks]
	Groups   []int          // number of blocks in each group
	Image    dataset.Format // of each image; in the paper 32x32 of three colours
	Classes  int            // outputs of the linear layer
	Survival depth.Survival // p_l of each block

	// ImageNetStem begins the network as those for ImageNet (He et al. 2015): a convolution 7x7 with stride 2 to 64 channels,
	// and then the largest of 3x3 values with stride 2, so that blocks see a sixteenth of the pixels. The paper's stem for
	// small images is a convolution 3x3 to 16 channels.
	ImageNetStem bool
	// Projection gives the shortcut parameters where the shape changes: a convolution 1x1 and batch normalisation.
	Projection bool
	// Subsample makes the shortcut between groups take every other pixel, as the authors' code did until February 2017,
	// instead of the average of 2x2 pixels.
	Subsample bool
	// Plain leaves out all shortcuts: H = ReLU(f(H)) with the paper's block, the plain network of He et al. 2015. It has the
	// textbook form only, and closed gates make no sense in it.
	Plain bool
	// Patch is the side of the patches that a transformer divides an image into, a divisor of the image's. New makes it an
	// eighth of the side, so that there are 8x8 patches or a few more.
	Patch int
	// Encoder has a transformer's sizes; New makes it the one that is called small.
	Encoder Encoder
	// ClassToken has a transformer classify by a token of its own before the patches, not by the mean of all tokens.
	ClassToken bool
	// Frozen is the number of first groups that training leaves as they are, with the stem; 0 freezes nothing, not even the stem.
	Frozen int
	// Inverted divides an open branch by p_l in training and does not scale at test. The paper scales at test only (Eq. 5).
	Inverted bool
	// SubBatches says that gates per sample are those of sub-batches, of which depth.Survival.Images of Survival are open.
	SubBatches bool
	// DType is the type of activations: Float32 (the default), BFloat16 or Float64.
	DType dtypes.DType
	// Scale says how the scales of batch normalisation start.
	Scale ScaleInit

	kind kind
}

// New returns a network with the given kind of blocks, number of blocks in each group (see [depth.GroupsOf]) and format of
// images; the paper's is [depth.Basic] with three groups. Images must be square, of 4x4 pixels or more, and there must be one
// survival probability for each block.
func New(block string, groups []int, image dataset.Format, classes int, survival depth.Survival) (*Network, error) {
	kind, err := kindOf(block)
	if err != nil {
		return nil, err
	}
	if side := image.Height; side != image.Width || side < 4 || image.Channels < 1 {
		return nil, fmt.Errorf("images of %dx%d pixels and %d channels fit no network here: they must be square, "+
			"with a side of 4 or more", image.Height, image.Width, image.Channels)
	}
	if blocks := depth.Total(groups); len(survival) != blocks {
		return nil, fmt.Errorf("%d survival probabilities for a network of %d blocks", len(survival), blocks)
	}
	return &Network{Block: block, Groups: groups, Image: image, Classes: classes, Survival: survival,
		Patch: max(image.Height/8, 1), Encoder: encoders["small"], DType: dtypes.Float32,
		kind: kind}, nil
}

// Filters are the channels of the first group's blocks, or with bottlenecks of their middle: 16 in the paper, 64 with the
// ImageNet stem. Each further group doubles them and halves the side.
func (n *Network) Filters() int {
	if n.ImageNetStem {
		return 64
	}
	return 16
}

// ParameterDType is the type of weights, gradients and running averages: Float64 for a Float64 network, otherwise Float32,
// also for BFloat16.
func (n *Network) ParameterDType() dtypes.DType {
	if n.DType == dtypes.Float64 {
		return dtypes.Float64
	}
	return dtypes.Float32
}

// Stage is a stack of consecutive blocks of equal shape.
type Stage struct {
	residual.Stack       // its name is "group2" or, for the first block of a group, "group2/transition"
	First          int   // index of its first block among all blocks, from 0
	Output         []int // of a block, for one image: height, width and channels, or tokens and their width
}

// Weights names the variable of the block's first weights: the first parameter with more than one axis, [Count, ...].
func (s Stage) Weights() string {
	for _, p := range s.Trained() {
		if len(p.Dims) > 1 {
			return s.Name + "/" + p.Name
		}
	}
	panic(fmt.Errorf("the block of %s has no weights", s.Name))
}

// IsFrozen reports whether training leaves a stage as it is.
func (n *Network) IsFrozen(s Stage) bool { return s.First < depth.Total(n.Groups[:n.Frozen]) }

// Stages lists the stages from input to output. A group of one block that changes the shape has only its transition.
func (n *Network) Stages() []Stage { return n.kind.stages(n) }

// Removable reports for each block whether it can be left out for good: a block that changes the shape of what it gets is
// needed, and so are all blocks of a plain network.
func (n *Network) Removable() []bool {
	removable := make([]bool, 0, len(n.Survival))
	before := n.kind.stem(n).output
	for _, s := range n.Stages() {
		for range s.Count {
			removable = append(removable, !n.Plain && slices.Equal(before, s.Output))
			before = s.Output
		}
	}
	return removable
}
