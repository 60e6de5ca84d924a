package models

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/runs/recipes"
)

// Elsewhere is a residual network of other PyTorch code, recognised by the names and shapes of its tensors.
type Elsewhere struct {
	Name    string // what it is: "resnet50 of torchvision or timm"
	Classes int
	// ZerosOnBothSides says that the shortcuts between groups have as many channels of zeros before their own as after them;
	// here all zeros come after.
	ZerosOnBothSides bool
	Mean, Deviation  []float64 // of pixels from 0 to 1, that its authors train with

	network  string // a value of the key network, or "": a network for CIFAR
	block    string
	blocks   []int
	shortcut string
	side     int // of the images, if the network takes no others; 0: any
	patch    int // side of a transformer's patches
}

// Apply makes the recipe that of the network: with its blocks, at constant depth, and, where somebody sets a death rate, with
// branches that are scaled in training, since those of other code are not scaled at test.
func (e *Elsewhere) Apply(r *recipes.Recipe) {
	r.PatchSize, r.Pooling, r.Encoder = 0, "", ""
	if e.network != "" {
		_ = r.Set(recipes.Network, e.network) // a known one
		r.PatchSize = e.patch
	} else {
		r.Block, r.Blocks, r.Depth, r.Stem, r.Shortcut = e.block, nil, depth.LayersIn(e.block, e.blocks), "paper", e.shortcut
	}
	d := recipes.Default()
	r.Normalization = d.Normalization
	for _, key := range recipes.StochasticKeys {
		_ = r.Set(key, d.Get(key)) // a valid recipe's
	}
	r.DeathRate, r.ScaleAt = 0, "train"
}

// Agrees is an error if the description beside a file says that the network is another one: the names and shapes of timm's
// resnetblur50 are those of its resnet50.
func (e *Elsewhere) Agrees(path string, c Config) error {
	switch {
	case !e.Large() || c.Architecture == "" || c.Architecture == e.network || strings.HasSuffix(c.Architecture, "_"+e.network):
		return nil
	case e.block == depth.Transformer && e.alike(c.Architecture):
		return nil
	default:
		return fmt.Errorf("%s has the tensors of %s, but the config.json beside it says %s, which is computed in another way: "+
			"take a file of %s, or move config.json away if it belongs to another file", path, e.network, c.Architecture, e.network)
	}
}

// Described is the network's name with what a description beside its file adds.
func (e *Elsewhere) Described(c Config) string {
	switch alike := alike[e.network]; {
	case e.block == depth.Transformer && c.Architecture != "":
		return c.Architecture + " of timm"
	case e.Large() && c.Architecture != "":
		return e.network + " of timm"
	case alike != "":
		return fmt.Sprintf("%s (timm's %s has the same names and shapes: its config.json beside the file would tell)", e.Name, alike)
	default:
		return e.Name
	}
}

// alike reports whether timm's network of this name has the tensors of the transformer and computes it.
func (e *Elsewhere) alike(architecture string) bool {
	part := timmTransformer.FindStringSubmatch(architecture)
	return part != nil && "vit-"+part[2] == e.network && part[3] == strconv.Itoa(e.patch)
}

// timmTransformer is a name of a vision transformer in timm: kind, size, side of its patches and of its images.
var timmTransformer = regexp.MustCompile(`^(vit|deit)_(tiny|small|base)_patch(\d+)_(\d+)$`)

// alike are networks of timm that blur or average where others have a stride, with the same tensors.
var alike = map[string]string{"resnet18": "resnetblur18", "resnet50": "resnetblur50 or resnetaa50"}

// Large reports whether the network is one for pictures of 64 pixels and more.
func (e *Elsewhere) Large() bool { return e.network != "" }

// Dataset names the data set on which to take the network if nobody says another: that of CIFAR with its number of classes, or
// shapes.
func (e *Elsewhere) Dataset() string {
	if names := map[int]string{10: "cifar10", 100: "cifar100"}; !e.Large() && names[e.Classes] != "" {
		return names[e.Classes]
	}
	return "shapes"
}

// The normalisations with which these libraries train.
var (
	imagenetMean, imagenetDeviation = []float64{0.485, 0.456, 0.406}, []float64{0.229, 0.224, 0.225}
	cifar10Mean, cifar10Deviation   = []float64{0.4914, 0.4822, 0.4465}, []float64{0.2023, 0.1994, 0.2010}
	cifar100Mean, cifar100Deviation = []float64{0.5070, 0.4865, 0.4409}, []float64{0.2673, 0.2564, 0.2761}
)

// Unwrapped returns a tensor's name without the prefix of PyTorch's data parallelism ("module.") and the words that
// torch.compile puts before it or, for a part of the network, into it ("_orig_mod.").
func Unwrapped(name string) string {
	name = strings.ReplaceAll(name, "_orig_mod.", "")
	for strings.HasPrefix(name, "module.") {
		name = strings.TrimPrefix(name, "module.")
	}
	return name
}

// BatchesTracked is the suffix of PyTorch's counters of batches, on which nothing depends.
const BatchesTracked = ".num_batches_tracked"

// Recognise says which network of other code a file has, from the names and shapes of its tensors alone. It returns nil if the
// names are of another kind than those of PyTorch's residual networks. One that cannot be computed here as it is there, or that
// lacks tensors, is an error of one sentence.
func Recognise(path string) (*Elsewhere, error) {
	tensors, _, err := tensorfile.Read(path)
	if err != nil {
		return nil, err
	}
	shapes := make(map[string][]int, len(tensors))
	for _, t := range tensors {
		if name := Unwrapped(t.Name); !strings.HasSuffix(name, BatchesTracked) && !strings.HasPrefix(name, "normalization.") {
			shapes[name] = t.Shape
		}
	}
	return recognise(path, shapes)
}

// FirstNames lists the first tensors of a file, for a sentence about it.
func FirstNames(path string) string {
	tensors, _, _ := tensorfile.Read(path) // a file that cannot be read has none
	var names []string
	for _, t := range tensors[:min(3, len(tensors))] {
		names = append(names, t.Name)
	}
	if len(tensors) > 3 {
		names = append(names, "...")
	}
	return cmp.Or(strings.Join(names, ", "), "none")
}

// groupBlock is the beginning of a name in a block of a group: group, block, and the rest.
var groupBlock = regexp.MustCompile(`^layer(\d+)\.(\d+)\.(.+)$`)

func recognise(path string, shapes map[string][]int) (*Elsewhere, error) {
	if _, is := shapes["conv_proj.weight"]; is {
		return nil, fmt.Errorf("%s is a vision transformer of torchvision, whose names are not read here: take timm's file, or a ResNet", path)
	}
	if shapes["patch_embed.proj.weight"] != nil && shapes["conv1.weight"] == nil {
		return recogniseTransformer(path, shapes)
	}
	groups, names := 0, slices.Sorted(maps.Keys(shapes))
	for _, name := range names {
		if part := groupBlock.FindStringSubmatch(name); part != nil {
			g, _ := strconv.Atoi(part[1])
			groups = max(groups, g)
		}
	}
	if groups == 0 {
		return nil, nil
	}
	for _, name := range names {
		if why := cannot(name, shapes[name], shapes); why != "" {
			return nil, fmt.Errorf("%s is a ResNet that cannot be computed here as it is there: %s (%s %v)", path, why, name, shapes[name])
		}
	}
	var nearest expected
	var differences []string
	for _, e := range candidates(shapes, names) {
		if list := e.differences(shapes); nearest.about == nil || len(list) < len(differences) {
			nearest, differences = e, list
		}
	}
	if err := nearest.refuse(path, differences); err != nil {
		return nil, err
	}
	e := nearest.about
	e.Classes = shapes[nearest.last+".bias"][0]
	if !e.Large() && e.Mean == nil {
		e.Mean, e.Deviation = cifar10Mean, cifar10Deviation
		if e.Classes == 100 {
			e.Mean, e.Deviation = cifar100Mean, cifar100Deviation
		}
	}
	return e, nil
}

// refuse is an error that lists differences of a file from the nearest network, or nil if there are none.
func (x expected) refuse(path string, differences []string) error {
	if len(differences) == 0 {
		return nil
	}
	const most = 6
	more := ""
	if n := len(differences) - most; n > 0 {
		more = fmt.Sprintf(", and %d more", n)
		differences = differences[:most]
	}
	return fmt.Errorf("%s is no network that is known here; it is nearest to %s, but %s%s: copy the file again if it is one, "+
		"or give the recipe of the network with --recipe", path, x.about.Name, strings.Join(differences, ", "), more)
}

// cannot says why a network with a tensor of this name and shape cannot be computed here, or "".
func cannot(name string, shape []int, shapes map[string][]int) string {
	is := func(text string) bool { return strings.Contains("."+name, "."+text) }
	inBlock := groupBlock.FindStringSubmatch(name)
	switch {
	case is("conv1.0."):
		return "its stem has three convolutions (ResNet-C, ResNet-D), here it has one"
	case name == "conv1.weight" && len(shape) == 4 && !(shape[2] == 7 && shape[0] == 64) && !(shape[2] == 3 && shape[0] == 16):
		return fmt.Sprintf("its stem is a convolution %dx%d to %d channels, here there are 3x3 to 16 and 7x7 to 64",
			shape[2], shape[3], shape[0])
	case is("se.") || is("fc1.") && inBlock != nil:
		return "it has squeeze-and-excitation"
	case inBlock == nil:
		return ""
	case is("downsample.1.weight") && len(shape) == 4 || is("downsample.2.weight"):
		return "its shortcuts begin with average pooling (ResNet-D)"
	case inBlock[3] == "conv2.weight" && len(shape) == 4 && shape[1] != shape[0]:
		return "its convolutions are in groups (ResNeXt)"
	case inBlock[3] == "conv3.weight" && len(shape) == 4 && shape[0] != expansion*shape[1]:
		return "its bottlenecks are wider than a quarter (Wide ResNet)"
	case inBlock[3] == "bn1.weight" && shapes[strings.TrimSuffix(name, "weight")+"running_mean"] == nil &&
		shapes["bn1.running_mean"] == nil:
		return "its normalisation keeps no running averages, so it is no batch normalisation"
	case is("conv1.bias") || is("conv2.bias") || is("conv3.bias"):
		return "its convolutions have biases"
	}
	return ""
}

// expansion is the ratio of a bottleneck's output channels to its middle channels.
const expansion = 4

// expected is a network that a file may have, with the shapes of its tensors; the number of classes is -1 there.
type expected struct {
	about  *Elsewhere
	last   string // name of the linear layer
	shapes map[string][]int
}

// candidates are the networks that a file with such tensors may have: those for ImageNet if its stem is theirs, and otherwise
// one for CIFAR.
func candidates(shapes map[string][]int, names []string) (list []expected) {
	has := func(text string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, text) })
	}
	last := "fc"
	if has("linear.") {
		last = "linear"
	}
	stem := shapes["conv1.weight"]
	if isLarge := len(stem) == 4 && stem[2] == 7 || has("layer4."); isLarge {
		for _, name := range recipes.Networks() {
			var r recipes.Recipe
			_ = r.Set(recipes.Network, name) // a known one
			if r.Block == depth.Transformer || (r.Block == depth.OriginalBottleneck) != has("conv3.") {
				continue
			}
			list = append(list, newExpected(&Elsewhere{Name: name + " of torchvision or timm", Mean: imagenetMean, Deviation: imagenetDeviation,
				network: name, block: r.Block, blocks: r.Blocks, shortcut: r.Shortcut}, last, "downsample"))
		}
		return list
	}
	n := 1
	for _, name := range names {
		if part := groupBlock.FindStringSubmatch(name); part != nil {
			i, _ := strconv.Atoi(part[2])
			n = max(n, min(i+1, recipes.MaxDepth))
		}
	}
	e := &Elsewhere{block: depth.Basic, blocks: []int{n, n, n}, shortcut: "projection"}
	name := fmt.Sprintf("resnet%d for CIFAR ", depth.LayersIn(e.block, e.blocks))
	shortcut := "downsample"
	switch {
	case last == "linear" && has(".shortcut."):
		shortcut = "shortcut"
		e.Name, e.Mean, e.Deviation = name+"with option B of akamaster's pytorch_resnet_cifar10", imagenetMean, imagenetDeviation
	case last == "linear":
		e.Name, e.Mean, e.Deviation = name+"of akamaster's pytorch_resnet_cifar10", imagenetMean, imagenetDeviation
		e.shortcut, e.ZerosOnBothSides = "subsample", true
	default:
		e.Name = name + "of chenyaofo's pytorch-cifar-models"
	}
	return []expected{newExpected(e, last, shortcut)}
}

// newExpected lists the tensors of a network whose linear layer and shortcuts have these names.
func newExpected(e *Elsewhere, last, shortcut string) expected {
	x := expected{about: e, last: last, shapes: make(map[string][]int)}
	convolution := func(name string, out, in, size int) { x.shapes[name+".weight"] = []int{out, in, size, size} }
	norm := func(name string, channels int) {
		for _, part := range []string{"weight", "bias", "running_mean", "running_var"} {
			x.shapes[name+"."+part] = []int{channels}
		}
	}
	filters, size := 16, 3
	if e.Large() {
		filters, size = 64, 7
	}
	convolution("conv1", filters, 3, size)
	norm("bn1", filters)
	in := filters
	for g, count := range e.blocks {
		middle := filters << g
		out := middle
		if e.block == depth.OriginalBottleneck {
			out = expansion * middle
		}
		for i := range count {
			b := fmt.Sprintf("layer%d.%d.", g+1, i)
			if e.block == depth.OriginalBottleneck {
				convolution(b+"conv1", middle, in, 1)
				convolution(b+"conv2", middle, middle, 3)
				convolution(b+"conv3", out, middle, 1)
				norm(b+"bn3", out)
			} else {
				convolution(b+"conv1", out, in, 3)
				convolution(b+"conv2", out, out, 3)
			}
			norm(b+"bn1", middle)
			norm(b+"bn2", middle)
			if in != out && e.shortcut == "projection" {
				convolution(b+shortcut+".0", out, in, 1)
				norm(b+shortcut+".1", out)
			}
			in = out
		}
	}
	x.shapes[last+".weight"], x.shapes[last+".bias"] = []int{-1, in}, []int{-1}
	return x
}

// differences lists what a file lacks, has in another shape, and has besides, in a clause each.
func (x expected) differences(shapes map[string][]int) (list []string) {
	classes := -1
	if bias := shapes[x.last+".bias"]; len(bias) == 1 && bias[0] > 0 {
		classes = bias[0]
	}
	text := func(shape []int) string {
		words := make([]string, len(shape))
		for i, n := range shape {
			if words[i] = fmt.Sprint(n); n == -1 {
				words[i] = "classes"
			}
		}
		return "[" + strings.Join(words, " ") + "]"
	}
	for _, name := range slices.SortedFunc(maps.Keys(x.shapes), compareNames) {
		want := slices.Clone(x.shapes[name])
		if want[0] == -1 {
			want[0] = classes
		}
		switch got, ok := shapes[name]; {
		case !ok:
			list = append(list, fmt.Sprintf("%s %s is missing", name, text(want)))
		case !slices.Equal(got, want) || classes == -1 && want[0] == -1:
			list = append(list, fmt.Sprintf("%s is %v and not %s", name, got, text(want)))
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(shapes), compareNames) {
		if _, ok := x.shapes[name]; !ok {
			list = append(list, fmt.Sprintf("it also has %s %v", name, shapes[name]))
		}
	}
	return list
}

// compareNames orders names by their groups and blocks as numbers: layer1.2 comes before layer1.10, the stem before both, and
// the linear layer after them.
func compareNames(a, b string) int {
	rank := func(name string) (group, block int) {
		if part := groupBlock.FindStringSubmatch(name); part != nil {
			group, _ = strconv.Atoi(part[1])
			block, _ = strconv.Atoi(part[2])
			return group, block
		}
		if part := transformerBlock.FindStringSubmatch(name); part != nil {
			block, _ = strconv.Atoi(part[1])
			return 1, block
		}
		for _, stem := range []string{"conv1", "bn1", "cls_token", "pos_embed", "patch_embed"} {
			if strings.HasPrefix(name, stem) {
				return 0, 0
			}
		}
		return 1 << 30, 0
	}
	g1, b1 := rank(a)
	g2, b2 := rank(b)
	return cmp.Or(cmp.Compare(g1, g2), cmp.Compare(b1, b2), cmp.Compare(a, b))
}
