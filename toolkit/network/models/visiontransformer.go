package models

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs/recipes"
)

// transformerBlock is the beginning of the name of a tensor in a transformer's block.
var transformerBlock = regexp.MustCompile(`^blocks\.(\d+)\.`)

// widths of a token in timm's vision transformers, by the value of the key network.
var widths = map[int]string{192: "vit-tiny", 384: "vit-small", 768: "vit-base"}

// The blocks of these, and the normalisation with which timm trains those that are called vit; those that are called deit have
// ImageNet's.
const transformerBlocks = 12

var vitMean, vitDeviation = []float64{0.5, 0.5, 0.5}, []float64{0.5, 0.5, 0.5}

// recogniseTransformer is recognise for a file with the names of timm's vision transformers.
func recogniseTransformer(path string, shapes map[string][]int) (*Elsewhere, error) {
	refuse := func(why string, args ...any) error {
		return fmt.Errorf("%s is a vision transformer that cannot be computed here as it is there: %s", path, fmt.Sprintf(why, args...))
	}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		if why := cannotTransform(name); why != "" {
			return nil, refuse("%s (%s %v)", why, name, shapes[name])
		}
	}
	patches, positions := shapes["patch_embed.proj.weight"], shapes["pos_embed"]
	if len(patches) != 4 || patches[2] != patches[3] || patches[2] < 1 || patches[1] != 3 {
		return nil, refuse("its patches are not square ones of three colours (patch_embed.proj.weight %v)", patches)
	}
	network, known := widths[patches[0]]
	if !known {
		return nil, refuse("its width is %d, and here there are 192, 384 and 768 (patch_embed.proj.weight %v)", patches[0], patches)
	}
	patch, side := patches[2], 0
	if len(positions) == 3 && positions[1] > 1 {
		side = patch * int(math.Round(math.Sqrt(float64(positions[1]-1))))
	}
	switch {
	case side == 0 || (side/patch)*(side/patch)+1 != positions[1]:
		return nil, refuse("it has no position for each patch of a square image and one for the class token (pos_embed %v)", positions)
	case side < recipes.MinImageSize || side > recipes.MaxImageSize:
		return nil, refuse("it takes images of %d pixels, and here they have from %d to %d (pos_embed %v)", side,
			recipes.MinImageSize, recipes.MaxImageSize, positions)
	}
	size := strings.TrimPrefix(network, "vit-")
	kind := func(kind string) string { return fmt.Sprintf("%s_%s_patch%d_%d", kind, size, patch, side) }
	e := &Elsewhere{Name: fmt.Sprintf("%s of timm (its %s has the same names and shapes, but ImageNet's normalisation: "+
		"a config.json beside the file would tell, or give --mean and --std)", kind("vit"), kind("deit")),
		Mean: vitMean, Deviation: vitDeviation, network: network, block: depth.Transformer, side: side, patch: patch}
	x := expected{about: e, last: "head", shapes: transformerShapes(patches[0], patch, positions[1])}
	if differences := x.differences(shapes); len(differences) > 0 {
		e.Name = kind("vit") + " of timm"
		return nil, x.refuse(path, differences)
	}
	e.Classes = shapes["head.bias"][0]
	return e, nil
}

// transformerShapes are those of the tensors of a transformer of this width; the number of classes is -1 there.
func transformerShapes(width, patch, tokens int) map[string][]int {
	shapes := map[string][]int{"cls_token": {1, 1, width}, "pos_embed": {1, tokens, width},
		"patch_embed.proj.weight": {width, 3, patch, patch}, "patch_embed.proj.bias": {width},
		"norm.weight": {width}, "norm.bias": {width}, "head.weight": {-1, width}, "head.bias": {-1}}
	for i := range transformerBlocks {
		b := fmt.Sprintf("blocks.%d.", i)
		for name, dims := range map[string][2]int{"attn.qkv": {3 * width, width}, "attn.proj": {width, width},
			"mlp.fc1": {4 * width, width}, "mlp.fc2": {width, 4 * width}} {
			shapes[b+name+".weight"], shapes[b+name+".bias"] = []int{dims[0], dims[1]}, []int{dims[0]}
		}
		for _, name := range []string{"norm1", "norm2"} {
			shapes[b+name+".weight"], shapes[b+name+".bias"] = []int{width}, []int{width}
		}
	}
	return shapes
}

// cannotTransform says why a transformer with a tensor of this name cannot be computed here, or "".
func cannotTransform(name string) string {
	for part, why := range map[string]string{
		"dist_token":            "it has a second token, for distillation",
		"head_dist.":            "it has a second last layer, for distillation",
		"reg_token":             "it has register tokens",
		"norm_pre.":             "it normalises before its blocks",
		"fc_norm.":              "it averages its tokens before it normalises",
		"patch_embed.backbone.": "its patches come from a ResNet",
		"pre_logits.":           "it has a layer between class token and last layer",
	} {
		if strings.HasPrefix(name, part) {
			return why
		}
	}
	switch {
	case strings.Contains(name, ".ls1.") || strings.Contains(name, ".ls2.") || strings.Contains(name, ".gamma"):
		return "its branches have scales (LayerScale)"
	case strings.Contains(name, "relative_position"):
		return "its attention knows relative positions"
	case strings.Contains(name, ".q_norm.") || strings.Contains(name, ".k_norm."):
		return "its attention normalises queries and keys"
	}
	return ""
}

// Sizes sets the sides of the images that a large network gets, if the recipe has none and its data set allows it: those that
// its positions are made for, or [Config.Sizes].
func (e *Elsewhere) Sizes(c Config, r *recipes.Recipe) {
	if e.side != 0 {
		c.InputSize = e.side
		if c.CropShare == 0 {
			c.CropShare = 0.9 // timm's
		}
		if r.Dataset == "shapes" && r.ImageSize == 0 {
			r.ImageSize = e.side
		}
	}
	c.Sizes(r)
}
