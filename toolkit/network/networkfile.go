package network

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/runs/recipes"
)

// Names of the tensors of a network's normalisation.
const (
	meanName      = "normalization.mean"
	deviationName = "normalization.deviation"
)

// Weights are those of a trained network, from a file or a run, with which another one begins. They can be taken once.
type Weights struct {
	path     string                       // or what stands for it in sentences, such as "run mine"
	tensors  map[string]tensorfile.Tensor // by the names of [Model.Export]; each is deleted when it is taken
	order    []string                     // their names, in the order of the file
	recipe   *recipes.Recipe              // that made the network; nil for a file from elsewhere
	pictures *dataset.Contents            // of the folder on which it was trained, if it says so
	notes    []string                     // about the file, a clause each
	reading  Reading
}

// Reading says how the weights of a file are read. The zero value is right for files of [Model.Export].
type Reading struct {
	// Name says what the network is, "resnet50 of torchvision", if that is known.
	Name string
	// ZerosOnBothSides says that shortcuts between groups have zeros before their channels and after them: the channels are
	// reordered so that all zeros come last, as here.
	ZerosOnBothSides bool
	// Mean and Deviation, unless nil, normalise pixels from 0 to 1. A file that has its own normalisation must not get them.
	Mean, Deviation []float64
	// Classes, unless 0, asks for a new last layer, with its initial weights, for this number of classes.
	Classes int
	// Adapt makes the last layer a new one if the data set has another number of classes.
	Adapt bool
}

func (f *Weights) note(format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

// ReadWeights reads a network's file, and translates the names of PyTorch's wrappers and of the usual code of residual networks
// into ours.
func ReadWeights(path string, reading Reading) (*Weights, error) {
	list, meta, err := tensorfile.Read(path)
	if err != nil {
		return nil, err
	}
	file, err := newWeights(path, list, meta)
	if err != nil {
		return nil, err
	}
	return file, file.read(reading)
}

// read sets how the weights are read.
func (f *Weights) read(reading Reading) error {
	f.reading = reading
	if reading.Name != "" {
		f.notes = []string{"it is " + reading.Name}
	}
	if reading.ZerosOnBothSides {
		f.note("its shortcuts are taken to have zeros on both sides of their channels, which are reordered so that the zeros come " +
			"last; code that has them last needs --zeros last")
		if err := f.zerosLast(); err != nil {
			return err
		}
	}
	if reading.Mean == nil {
		return nil
	}
	if f.has(meanName) || f.has(deviationName) {
		return fmt.Errorf("%s has a normalisation of its own: leave --mean and --std out", f.path)
	}
	f.setNormalization(reading.Mean, reading.Deviation)
	f.note("its images are normalised by mean %v and std %v of pixels from 0 to 1", reading.Mean, reading.Deviation)
	return nil
}

// setNormalization adds the tensors of a normalisation of pixels from 0 to 1.
func (f *Weights) setNormalization(mean, deviation []float64) {
	for name, values := range map[string][]float64{meanName: mean, deviationName: deviation} {
		bytes := make([]float64, len(values))
		for i, v := range values {
			bytes[i] = 255 * v
		}
		f.tensors[name] = encode(name, []int{len(values)}, bytes, dtypes.Float64)
	}
	f.order = append(f.order, meanName, deviationName)
}

// newWeights makes the weights of a list of tensors with the file's metadata.
func newWeights(path string, list []tensorfile.Tensor, meta map[string]string) (*Weights, error) {
	file := &Weights{path: path, tensors: make(map[string]tensorfile.Tensor, len(list))}
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = models.Unwrapped(t.Name)
	}
	usual, timm := usualNames(names), fromTimm(names)
	for i, t := range list {
		t.Name = names[i]
		switch {
		case usual != nil:
			t.Name = usual(names[i])
		case timm != nil:
			t.Name = timm(names[i])
			var err error
			if t, err = flattened(t); err != nil {
				return nil, err
			}
		}
		if _, twice := file.tensors[t.Name]; twice {
			return nil, fmt.Errorf("%s has two tensors that would be %s, one of them %s: remove the wrong one",
				path, t.Name, list[i].Name)
		}
		file.tensors[t.Name] = t
		file.order = append(file.order, t.Name)
	}
	if text := meta["recipe"]; text != "" {
		if recipe, err := recipes.Parse([]byte(text)); err == nil && recipe.Validate() == nil {
			file.recipe = &recipe
			file.pictures, _ = models.PicturesOf(meta)
		}
	}
	if mean, deviation, err := models.NormalizationOf(meta); err != nil {
		return nil, fmt.Errorf("the metadata of %s: %w: export the network again", path, err)
	} else if mean != nil && !file.has(meanName) && !file.has(deviationName) {
		file.setNormalization(mean, deviation)
	}
	if usual != nil && file.recipe == nil {
		file.note("its conv1, bn1, layer1.0, ... are taken as our stem.conv, stem.bn, blocks.0, ..., and its shortcuts as the " +
			"recipe has them: those that take every other pixel are shortcut=subsample, and zero channels come after the others " +
			"(toolkit/network/models/README.md)")
	}
	return file, nil
}

// Weights are those of a network that is called by this name in sentences.
func (m *Model) Weights(name string) (*Weights, error) {
	list, err := m.tensors()
	if err != nil {
		return nil, err
	}
	w, err := newWeights(name, list, nil)
	if err == nil {
		w.recipe = &m.Recipe
	}
	return w, err
}

// Adapt makes the last layer a new one if the data set has another number of classes.
func (f *Weights) Adapt() *Weights {
	f.reading.Adapt = true
	return f
}

// Sum is the beginning of the SHA-256 of all tensors with their names, in hexadecimal digits: equal weights have equal sums.
func (f *Weights) Sum() string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f.tensors)) {
		t := f.tensors[name]
		fmt.Fprintf(sum, "%s %s %v\n", name, t.DType, t.Shape)
		sum.Write(t.Data)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// usualBlock is the name of a block's tensor in the usual code: its group, from 1, then the block's number in the group.
var usualBlock = regexp.MustCompile(`^layer([1-9])\.(\d+)\.(.+)$`)

// usualNames returns a function that turns the names of the usual PyTorch code of these networks (conv1, bn1, layer1.0.conv1,
// linear or fc) into ours, or nil if the names are different.
func usualNames(names []string) func(name string) string {
	if !slices.Contains(names, "conv1.weight") || !slices.Contains(names, "layer1.0.conv1.weight") {
		return nil
	}
	var groups [10]int // blocks in each
	for _, name := range names {
		if part := usualBlock.FindStringSubmatch(name); part != nil {
			g, _ := strconv.Atoi(part[1])
			i, _ := strconv.Atoi(part[2])
			groups[g] = max(groups[g], min(i, recipes.MaxDepth)+1)
		}
	}
	return func(name string) string {
		if part := usualBlock.FindStringSubmatch(name); part != nil {
			g, _ := strconv.Atoi(part[1])
			i, _ := strconv.Atoi(part[2])
			own := part[3]
			if rest, ok := strings.CutPrefix(own, "shortcut."); ok {
				own = "downsample." + rest
			}
			return fmt.Sprintf("blocks.%d.%s", depth.Total(groups[:g])+i, own)
		}
		for usual, own := range map[string]string{"conv1.": "stem.conv.", "bn1.": "stem.bn.", "linear.": "fc."} {
			if rest, ok := strings.CutPrefix(name, usual); ok {
				return own + rest
			}
		}
		return name
	}
}

// zerosLast reorders the channels of a network whose shortcuts between groups have as many zeros before their channels as after
// them, so that all zeros come last: then it is one with shortcut=subsample.
func (f *Weights) zerosLast() error {
	var order []int // of the channels of the current group: where they come from
	for block := 0; ; block++ {
		b := fmt.Sprintf("blocks.%d.", block)
		first, ok := f.tensors[b+"conv1.weight"]
		if !ok {
			break
		}
		if len(first.Shape) != 4 {
			return fmt.Errorf("%sconv1.weight of %s is %v, which is no convolution", b, f.path, first.Shape)
		}
		out, in := first.Shape[0], first.Shape[1]
		if len(first.Data) == 0 || order != nil && len(order) != in {
			return fmt.Errorf("%sconv1.weight of %s is %v, which does not follow the block before: --zeros both is for networks "+
				"whose shortcuts have no weights", b, f.path, first.Shape)
		}
		if order == nil {
			order = sequence(in)
		}
		f.reorder(b+"conv1.weight", 1, order)
		if out > in {
			var kept, zeros []int
			for _, c := range order {
				kept = append(kept, c+(out-in)/2)
			}
			for c := range out {
				if !slices.Contains(kept, c) {
					zeros = append(zeros, c)
				}
			}
			order = append(kept, zeros...)
		}
		for _, name := range []string{"conv2.weight", "bn2.weight", "bn2.bias", "bn2.running_mean", "bn2.running_var"} {
			f.reorder(b+name, 0, order)
		}
	}
	f.reorder("fc.weight", 1, order)
	return nil
}

func sequence(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// reorder takes the values of a tensor along an axis in another order.
func (f *Weights) reorder(name string, axis int, order []int) {
	t, ok := f.tensors[name]
	if !ok || len(t.Shape) <= axis || t.Shape[axis] != len(order) || len(t.Data) == 0 {
		return // take says what is wrong with it
	}
	outer, inner := 1, len(t.Data)
	for i := range axis + 1 {
		inner /= t.Shape[i]
		if i < axis {
			outer *= t.Shape[i]
		}
	}
	data := make([]byte, 0, len(t.Data))
	for o := range outer {
		for _, from := range order {
			at := (o*len(order) + from) * inner
			data = append(data, t.Data[at:at+inner]...)
		}
	}
	t.Data = data
	f.tensors[name] = t
}

func (f *Weights) has(name string) bool {
	_, ok := f.tensors[name]
	return ok
}

// others names the first tensors that were not taken, for an error about a missing one.
func (f *Weights) others() string {
	var names []string
	for _, name := range f.order {
		if f.has(name) && !strings.HasSuffix(name, models.BatchesTracked) {
			names = append(names, name)
		}
	}
	switch {
	case len(names) == 0:
		return ""
	case len(names) > 3:
		names = append(names[:3], "...")
	}
	return fmt.Sprintf(" (its other tensors: %s): toolkit/network/models/README.md says which names are read",
		strings.Join(names, ", "))
}

// blocks is the number of blocks in the file.
func (f *Weights) blocks() int {
	blocks := map[string]bool{}
	for _, name := range f.order {
		if rest, ok := strings.CutPrefix(name, "blocks."); ok {
			block, _, _ := strings.Cut(rest, ".")
			blocks[block] = true
		}
	}
	return len(blocks)
}

// surplus is an error if a tensor is left that the recipe's network does not have.
func (m *Model) surplus(f *Weights) error {
	for _, name := range slices.Sorted(maps.Keys(f.tensors)) {
		switch {
		case strings.HasSuffix(name, models.BatchesTracked):
		case strings.Contains(name, ".downsample."):
			return fmt.Errorf("%s has weights in its shortcuts (%s): set shortcut to projection", f.path, name)
		case strings.HasPrefix(name, "blocks."):
			return fmt.Errorf("%s has a tensor %s that a network of %d layers does not have: %s", f.path, name, m.Recipe.Depth,
				m.remedy(f, name))
		default:
			return fmt.Errorf("%s has a tensor %s that a network of %d layers does not have: "+
				"remove it, or give the recipe of the network with --recipe", f.path, name, m.Recipe.Depth)
		}
	}
	return nil
}

// remedy says which keys of the recipe to set so that it makes the network of a file, of which a tensor does not fit.
func (m *Model) remedy(f *Weights, name string) string {
	theirs, ours := f.blocks(), len(m.Network.Survival)
	switch {
	case strings.HasPrefix(name, "normalization."):
		return "set normalization, and the sizes of images, to those of its training"
	case strings.HasPrefix(name, "stem.") && m.Recipe.Block == depth.Transformer:
		return "set image_size, patch_size, pooling and encoder to those of its training"
	case strings.HasPrefix(name, "stem."):
		return "set block and stem, or network, to those of its training"
	case strings.HasPrefix(name, "blocks.0."), theirs == ours:
		return "set block, blocks and shortcut, or network, to those of its training"
	}
	if layers, err := depth.LayersOf(m.Recipe.Block, theirs); err == nil && len(m.Recipe.Blocks) == 0 {
		return fmt.Sprintf("it has %d blocks and not %d, so set depth to %d", theirs, ours, layers)
	}
	return fmt.Sprintf("it has %d blocks and not %d, so set depth and blocks, or network, to those of its training", theirs, ours)
}

// remedyForMissing is the end of the sentence that a tensor is missing.
func (m *Model) remedyForMissing(f *Weights, name string) string {
	switch {
	case f.blocks() > 0 && strings.Contains(name, ".downsample."):
		return ": set shortcut to average or subsample, which have no weights"
	case f.blocks() > 0 && name == "stem.class_token":
		return ": set pooling to mean"
	case f.blocks() > 0 && strings.HasPrefix(name, "stem."):
		return ": set block to that of its training"
	case f.blocks() > 0 && strings.HasPrefix(name, "blocks."):
		return ": " + m.remedy(f, name)
	}
	return f.others()
}

// otherClasses is the error for a data set that has not as many classes as the network in a file.
func otherClasses(path string, theirs int, name string, ours int) error {
	return fmt.Errorf("the network in %s has %d classes, but %s has %d: choose a data set with as many, "+
		"or begin with a new last layer (--classes %d)", path, theirs, name, ours, ours)
}

// checkValues says in one sentence why a network of the type cannot have the values of a file's tensor: all must be finite,
// also when rounded to the type, variances not negative, and deviations above zero.
func checkValues(path, name string, values []float64, dtype dtypes.DType) error {
	for i, v := range values {
		if dtype != dtypes.Float64 || strings.HasPrefix(name, "normalization.") {
			v = float64(float32(v))
		}
		why := ""
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			why = "all must be finite"
		case strings.HasSuffix(name, ".running_var") && v < 0:
			why = "a variance is not negative"
		case name == deviationName && v <= 0:
			why = "a deviation is above zero"
		default:
			continue
		}
		return fmt.Errorf("%s of %s has the value %g at position %d, but %s: import a file of a network that trained well",
			name, path, v, i, why)
	}
	return nil
}

// onUnitScale multiplies a normalisation of pixels from 0 to 1, as in PyTorch, by 255, and reports whether it was one. It was
// if all deviations are below 1, or, in a file from elsewhere, if they are 1 and the means at most 1; deviations of 1 with
// larger means leave bytes unscaled, as in Caffe. Larger means with deviations below 1 are an error.
func onUnitScale(path string, elsewhere bool, mean, deviation []float64) (bool, error) {
	largest, most := slices.Max(deviation), slices.Max(mean)
	if largest > 1 || largest == 1 && (!elsewhere || most > 1) {
		return false, nil
	}
	if most > 1 {
		return false, fmt.Errorf("the normalisation of %s has deviations below 1 (up to %.4g) and means above (up to %.4g): "+
			"give both of pixels from 0 to 255, or both of pixels from 0 to 1", path, largest, most)
	}
	for _, values := range [][]float64{mean, deviation} {
		for i := range values {
			values[i] *= 255
		}
	}
	return true, nil
}

// classesOf is the number of classes of a recipe's data set; 0 for a folder of pictures, which is not read here.
func classesOf(r recipes.Recipe) int {
	set, _ := dataset.Find(r.Dataset) // a valid recipe names one
	return len(set.Classes)
}

// agree says in one sentence why a run of a recipe cannot go on from the network in a file, which was made by another
// recipe; otherwise it returns notes about the two, a clause each. newLast allows for another number of classes.
func agree(path string, made, recipe recipes.Recipe, newLast bool) (notes []string, err error) {
	var keys, theirs, ours []string
	differ := func(key, a, b string) {
		if a != b {
			keys, theirs, ours = append(keys, key), append(theirs, key+" "+a), append(ours, key+" "+b)
		}
	}
	if len(made.Blocks)+len(recipe.Blocks) > 0 {
		a, _ := made.Groups() // both are valid
		b, _ := recipe.Groups()
		differ("blocks", fmt.Sprint(a), fmt.Sprint(b))
	}
	for _, key := range []string{"stem", "block", "depth", "shortcut", "normalization"} {
		differ(key, made.Get(key), recipe.Get(key))
	}
	if made.Block == depth.Transformer && recipe.Block == made.Block {
		patch := func(r recipes.Recipe) string { return fmt.Sprint(cmp.Or(r.PatchSize, r.Image().Height/8)) }
		differ("image_size", fmt.Sprint(made.Image().Height), fmt.Sprint(recipe.Image().Height))
		differ("patch_size", patch(made), patch(recipe))
		differ("encoder", cmp.Or(made.Encoder, "small"), cmp.Or(recipe.Encoder, "small"))
		differ("pooling", cmp.Or(made.Pooling, "mean"), cmp.Or(recipe.Pooling, "mean"))
	}
	if len(keys) > 0 {
		leave := say.Enumerate(keys) + " as the file's recipe has it"
		if len(keys) > 1 {
			leave = say.Enumerate(keys) + " as the file's recipe has them"
		}
		if len(keys) > 1 && (keys[0] == "blocks" || keys[0] == "stem") {
			leave += " (network sets several of them)"
		}
		return nil, fmt.Errorf("the network in %s has %s, and its weights do not fit a network with %s: leave %s",
			path, say.Enumerate(theirs), say.Enumerate(ours), leave)
	}
	if a, b := made.Stored(), recipe.Stored(); made.Normalization == "mean-image" && a != b {
		return nil, fmt.Errorf("the network in %s has a mean image of %dx%d pixels, which fits no images of %dx%d: "+
			"leave image_size and resize_size as the file's recipe has them", path, a.Height, a.Width, b.Height, b.Width)
	}
	if a, b := made.Image(), recipe.Image(); a != b {
		notes = append(notes, fmt.Sprintf("it was trained on images of %dx%d pixels and gets some of %dx%d",
			a.Height, a.Width, b.Height, b.Width))
	}
	if a, b := classesOf(made), classesOf(recipe); a != b && a > 0 && b > 0 && !newLast {
		return nil, otherClasses(path, a, recipe.Dataset, b)
	}
	switch drawn := made.Dataset == "shapes"; {
	case made.Dataset != recipe.Dataset:
		notes = append(notes, fmt.Sprintf("it was trained on %s and has not seen %s yet; its normalisation stays",
			made.Dataset, recipe.Dataset))
	case made.Seed != recipe.Seed && drawn:
		notes = append(notes, fmt.Sprintf("its shapes were drawn from seed %d; those of seed %d are different",
			made.Seed, recipe.Seed))
	case made.Seed != recipe.Seed:
		return nil, fmt.Errorf("the network in %s was trained on the images of %s that seed %d leaves for training, "+
			"and most of the validation images of seed %d are among them: keep seed %d",
			path, made.Dataset, made.Seed, recipe.Seed, made.Seed)
	}
	return notes, nil
}
