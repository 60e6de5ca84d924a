package network

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/runs/recipes"
)

// Names of the tensors of a network's normalisation.
const (
	meanName      = "normalization.mean"
	deviationName = "normalization.deviation"
)

// batchesTracked is the suffix of PyTorch's counters of batches, on which nothing depends.
const batchesTracked = ".num_batches_tracked"

// networkFile is the content of a network's file.
type networkFile struct {
	path    string
	tensors map[string]tensorfile.Tensor // by the names of [Model.Export]; each is deleted when it is taken
	order   []string                     // their names, in the order of the file
	recipe  *recipes.Recipe              // that made the network; nil for a file from elsewhere
	notes   []string                     // about the file, a clause each
}

func (f *networkFile) note(format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

// readNetwork reads a network's file, and translates the names of PyTorch's wrappers and of the usual code of residual
// networks into ours.
func readNetwork(path string) (*networkFile, error) {
	list, meta, err := tensorfile.Read(path)
	if err != nil {
		return nil, err
	}
	file := &networkFile{path: path, tensors: make(map[string]tensorfile.Tensor, len(list))}
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = withoutWrappers(t.Name)
	}
	usual := usualNames(names)
	for i, t := range list {
		t.Name = names[i]
		if usual != nil {
			t.Name = usual(names[i])
		}
		if _, twice := file.tensors[t.Name]; twice {
			return nil, fmt.Errorf("%s has two tensors that would be %s, one of them %s: remove the wrong one",
				path, t.Name, list[i].Name)
		}
		file.tensors[t.Name] = t
		file.order = append(file.order, t.Name)
	}
	if usual != nil {
		file.note("its conv1, bn1, layer1.0, ... are taken as our stem.conv, stem.bn, blocks.0, ..., and its shortcuts as the " +
			"recipe has them: those that take every other pixel are shortcut=subsample, and zero channels come after the others " +
			"(toolkit/network/models/README.md)")
	}
	if text := meta["recipe"]; text != "" {
		if recipe, err := recipes.Parse([]byte(text)); err == nil && recipe.Validate() == nil {
			file.recipe = &recipe
		}
	}
	return file, nil
}

// withoutWrappers returns a tensor's name without the prefix of PyTorch's data parallelism ("module.") and the words that
// torch.compile puts before it or, for a part of the network, into it ("_orig_mod.").
func withoutWrappers(name string) string {
	name = strings.ReplaceAll(name, "_orig_mod.", "")
	for strings.HasPrefix(name, "module.") {
		name = strings.TrimPrefix(name, "module.")
	}
	return name
}

// usualBlock is the name of a block's tensor in the usual code: group 1 to 3, then the block's number in the group.
var usualBlock = regexp.MustCompile(`^layer([1-3])\.(\d+)\.(.+)$`)

// usualNames returns a function that turns the names of the usual PyTorch code of these networks (conv1, bn1, layer1.0.conv1,
// linear or fc) into ours, or nil if the names are different.
func usualNames(names []string) func(name string) string {
	if !slices.Contains(names, "conv1.weight") || !slices.Contains(names, "layer1.0.conv1.weight") {
		return nil
	}
	group := 0 // blocks
	for _, name := range names {
		if part := usualBlock.FindStringSubmatch(name); part != nil && part[1] == "1" {
			i, _ := strconv.Atoi(part[2])
			group = max(group, i+1)
		}
	}
	return func(name string) string {
		if part := usualBlock.FindStringSubmatch(name); part != nil {
			g, _ := strconv.Atoi(part[1])
			i, _ := strconv.Atoi(part[2])
			return fmt.Sprintf("blocks.%d.%s", (g-1)*group+i, part[3])
		}
		for usual, own := range map[string]string{"conv1.": "stem.conv.", "bn1.": "stem.bn.", "linear.": "fc."} {
			if rest, ok := strings.CutPrefix(name, usual); ok {
				return own + rest
			}
		}
		return name
	}
}

func (f *networkFile) has(name string) bool {
	_, ok := f.tensors[name]
	return ok
}

// others names the first tensors that were not taken, for an error about a missing one.
func (f *networkFile) others() string {
	var names []string
	for _, name := range f.order {
		if f.has(name) && !strings.HasSuffix(name, batchesTracked) {
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

// surplus is an error if a tensor is left that no network with the given number of layers has.
func (f *networkFile) surplus(layers int) error {
	for _, name := range slices.Sorted(maps.Keys(f.tensors)) {
		switch {
		case strings.HasSuffix(name, batchesTracked):
		case strings.Contains(name, ".downsample.") || strings.Contains(name, ".shortcut."):
			return fmt.Errorf("%s has weights in its shortcuts (%s), and the networks here have none: "+
				"train one without, such as the paper's (option A)", f.path, name)
		case strings.HasPrefix(name, "blocks."):
			return fmt.Errorf("%s has a tensor %s that a network of %d layers does not have: give the right --depth",
				f.path, name, layers)
		default:
			return fmt.Errorf("%s has a tensor %s that a network of %d layers does not have: "+
				"remove it, or give the recipe of the network with --recipe", f.path, name, layers)
		}
	}
	return nil
}
