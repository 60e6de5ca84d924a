package commands

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/runs/recipes"
)

// keyFlags are the recipe's keys that have their own flags; --set takes all keys.
var keyFlags = []struct{ flag, help string }{
	{"dataset", "shapes, cifar10, cifar100, svhn, or folder (your pictures, with --data-root)"},
	{recipes.Network, "for pictures of 64 pixels and more: " + strings.Join(recipes.Networks(), ", ")},
	{"block", "kind of the blocks, the paper's first: " + strings.Join(depth.Named(), ", ")},
	{"depth", "layers: 6N+2; bottlenecks 9N+2; transformer: its blocks"},
	{"death-rate", "1 - p_L; 0 is constant depth"},
	{"rule", "survival rule: linear (the paper), " + strings.Join(depth.Rules()[1:], ", ")},
	{"epochs", "passes over the training images"},
	{"batch-size", "images in a minibatch"},
	{"learning-rate", "before the first milestone"},
	{"augment", "none, shift (random shift and flip; the flag without a value) or crop (random resized crop and flip)"},
	{"image-size", "side of the images in pixels; 0 is the data set's own"},
	{"form", "survivors: computes open blocks only; resnet: the textbook form"},
	{"dtype", "float32, tf32 (NVIDIA GPUs), bf16-products (CPUs), bfloat16 or float64"},
	{"seed", "seed of all random draws"},
}

// origin is a recipe and its source.
type origin struct {
	recipe recipes.Recipe
	source string
	// over, unless nil, changes the preset or file that stands for the recipe if --dataset or --recipe names one; named says
	// that --recipe did.
	over func(base *recipes.Recipe, named bool)
}

// recipeFlags adds the flags that define a recipe, and returns a function that reads and checks it. They change the recipe
// that --recipe names or, without it, from; if from is nil, the preset of the data set.
func recipeFlags(cmd *cobra.Command) func(from *origin) (recipes.Checked, error) {
	flags := cmd.Flags()
	name := flags.String("recipe", "", "preset ("+strings.Join(recipes.PresetNames(), ", ")+") or a recipe file")
	for _, f := range keyFlags {
		flags.String(f.flag, "", f.help)
	}
	sets := flags.StringArray("set", nil, "any key of the recipe, as key=value; may be repeated")
	return func(from *origin) (none recipes.Checked, err error) {
		if from == nil || *name != "" || from.over != nil && flags.Changed("dataset") {
			var over func(*recipes.Recipe, bool)
			if from != nil {
				over = from.over
			}
			set, _, _ := strings.Cut(flags.Lookup("dataset").Value.String(), ":") // folder:NAME
			if strings.ContainsRune(set, filepath.Separator) {
				return none, fmt.Errorf("--dataset %[1]s is a path, not the name of a data set: pictures of your own are "+
					"--dataset folder --data-root %[1]s", set)
			}
			of, own := from, *name == "" && slices.Contains(dataset.Registered(), set)
			if own {
				set = "shapes"
			}
			from = &origin{source: cmp.Or(*name, set, "shapes")}
			if from.recipe, err = read(from.source); err != nil {
				return none, err
			}
			if own { // which says itself how many images it has
				from.recipe.TrainImages, from.recipe.ValidationImages, from.recipe.TestImages = 0, 0, 0
			}
			if over != nil {
				over(&from.recipe, *name != "")
				from.source += " with the network of " + of.recipe.From
			}
		}
		recipe := from.recipe
		type setting struct{ key, value, by string }
		var settings []setting
		for _, f := range keyFlags {
			if flag := flags.Lookup(f.flag); flag.Changed {
				settings = append(settings, setting{f.flag, flag.Value.String(), "--" + f.flag})
			}
		}
		for _, set := range *sets {
			key, value, ok := strings.Cut(set, "=")
			if !ok {
				return none, fmt.Errorf("--set %s: write key=value", set)
			}
			settings = append(settings, setting{key, value, "--set " + set})
		}
		var keys []string
		for _, s := range settings {
			keys = append(keys, s.key)
		}
		if err := recipes.Compatible(keys); err != nil {
			return none, err
		}
		slices.SortStableFunc(settings, func(a, b setting) int { return recipes.Order(a.key, b.key) })
		for _, s := range settings {
			if err := recipe.Set(s.key, s.value); err != nil {
				return none, fmt.Errorf("%s: %w", s.by, err)
			}
		}
		if changes := recipes.Differences(recipe, from.recipe); len(changes) > 0 {
			// The old description describes another run.
			recipe.Description = fmt.Sprintf("As the recipe %s, but %s (its own value second).", from.source, strings.Join(changes, "; "))
		}
		checked, err := recipe.Check()
		if err != nil {
			return none, err
		}
		if named := resnet.Blocks(); !slices.Contains(named, recipe.Block) {
			return none, fmt.Errorf("block %q is not one of this program's%s: %s "+
				"(a block of your own runs in the program that registers it)",
				recipe.Block, say.DidYouMean(recipe.Block, named), strings.Join(named, ", "))
		}
		if root := flags.Lookup("data-root"); root != nil && root.Changed {
			if set, err := dataset.Find(recipe.Dataset); err == nil && set.Drawn {
				return none, fmt.Errorf("--data-root %s would not be read, as the images of %s are drawn: add --dataset folder for "+
					"your pictures, or the name of the set that is there", root.Value, recipe.Dataset)
			}
		}
		return checked, nil
	}
}

// bareAugment returns the arguments of a command line with shift as the value of a flag --augment that has none.
func bareAugment(args []string) []string {
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		return args
	}
	for i, arg := range args {
		if arg == "--augment" && (i+1 == len(args) || strings.HasPrefix(args[i+1], "-")) {
			return slices.Insert(slices.Clone(args), i+1, "shift")
		}
	}
	return args
}

func read(source string) (recipes.Recipe, error) {
	if strings.HasSuffix(source, ".json") || strings.ContainsAny(source, `/\`) {
		return recipes.Read(source)
	}
	return recipes.Preset(source)
}
