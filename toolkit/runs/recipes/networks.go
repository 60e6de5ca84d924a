package recipes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
)

// Network is a key that stands for several: `network=resnet50` sets block, blocks, depth, stem and shortcut, which a recipe
// keeps, and the learning rate; `network=vit-tiny` sets encoder, patch_size and pooling too. Whoever sets several keys sets this
// one first (see [Order]), so that the others may change what it sets.
const Network = "network"

// Settable lists the keys that Set takes: those of a recipe, [Network] and [Budget].
func Settable() []string { return append(Keys(), Network, Budget) }

// Order compares two keys for sorting: [Network] is to be set first, [Budget] last.
func Order(a, b string) int {
	rank := func(key string) int {
		switch spelled(key) {
		case Network:
			return 0
		case Budget:
			return 2
		}
		return 1
	}
	return cmp.Compare(rank(a), rank(b))
}

// networks are those for ImageNet of He et al. 2015 (Table 1), with the shortcuts of their option B.
var networks = []struct {
	name, block string
	blocks      []int // in each of the four groups
}{
	{"resnet18", depth.Basic, []int{2, 2, 2, 2}},
	{"resnet34", depth.Basic, []int{3, 4, 6, 3}},
	{"resnet50", depth.OriginalBottleneck, []int{3, 4, 6, 3}},
	{"resnet101", depth.OriginalBottleneck, []int{3, 4, 23, 3}},
	{"resnet152", depth.OriginalBottleneck, []int{3, 8, 36, 3}},
}

// transformers are the vision transformers that have timm's names with patches of 16 pixels and a class token; each is an
// encoder of 12 blocks.
var transformers = []string{"vit-tiny", "vit-small", "vit-base"}

// networkRate is the learning rate for small minibatches: with 0.1, which fb.resnet.torch takes for 256 images, minibatches of
// 32 begin with losses above 10. Transformers take less.
const (
	networkRate     = 0.02
	transformerRate = 0.005
)

// Networks lists the values that Set takes for the key network, which a recipe itself does not have.
func Networks() []string {
	var names []string
	for _, n := range networks {
		names = append(names, n.name)
	}
	return append(names, transformers...)
}

// setNetwork sets the keys that a network of this name has.
func (r *Recipe) setNetwork(name string) error {
	for _, n := range networks {
		if n.name == name {
			r.Block, r.Blocks, r.Stem, r.Shortcut = n.block, n.blocks, "imagenet", "projection"
			r.Depth, r.LearningRate = depth.LayersIn(n.block, n.blocks), networkRate
			r.PatchSize, r.Pooling, r.Encoder = 0, "", ""
			return nil
		}
	}
	if slices.Contains(transformers, name) {
		r.Block, r.Blocks, r.Stem, r.Shortcut = depth.Transformer, nil, "paper", Default().Shortcut
		r.Depth, r.LearningRate = 12, transformerRate
		r.PatchSize, r.Pooling, r.Encoder = 16, "class-token", name
		return nil
	}
	return fmt.Errorf("%s %q is unknown%s: use %s", Network, name, say.DidYouMean(name, Networks()), strings.Join(Networks(), ", "))
}

// Groups returns the number of blocks in each group of equally shaped blocks: the recipe's own, or those that its depth gives
// (see [depth.GroupsOf]). A depth that no network of the recipe's blocks has is an error.
func (r Recipe) Groups() ([]int, error) {
	if len(r.Blocks) == 0 {
		return depth.GroupsOf(r.Block, r.Depth)
	}
	if r.Block == depth.Transformer {
		return nil, fmt.Errorf("blocks is %v, but a transformer has one group: leave it out, depth is the number of its blocks", r.Blocks)
	}
	if len(r.Blocks) > maxGroups {
		return nil, fmt.Errorf("blocks has %d groups: a network has %d at most, as each halves the side", len(r.Blocks), maxGroups)
	}
	for _, n := range r.Blocks {
		if n < 1 || n > MaxDepth {
			return nil, fmt.Errorf("blocks is %v: a group has from 1 to %s blocks", r.Blocks, say.Grouped(MaxDepth))
		}
	}
	if layers := depth.LayersIn(r.Block, r.Blocks); layers != r.Depth {
		return nil, fmt.Errorf("depth is %d, but blocks %v of the kind %s make %d layers: set depth to %d",
			r.Depth, r.Blocks, r.Block, layers, layers)
	}
	return r.Blocks, nil
}

// maxGroups is the largest number of groups: the widest has 32 times the channels of the first.
const maxGroups = 6
