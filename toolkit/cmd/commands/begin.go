package commands

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// elsewhereFlags adds the flags that say how a network's file from elsewhere is to be read, and returns a function that reads
// one, with the recipe with which a run of it begins: nil if --recipe gives it.
func elsewhereFlags(cmd *cobra.Command) func(path string) (*network.Weights, *origin, error) {
	flags := cmd.Flags()
	mean := flags.String("mean", "", "of a file from elsewhere: the mean of red, green and blue, of pixels from 0 to 1")
	std := flags.String("std", "", "of a file from elsewhere: their standard deviations")
	classes := flags.Int("classes", 0, "begin with a new last layer, for this number of classes: that of the data set")
	zeros := flags.String("zeros", "", "of a file from elsewhere: where the channels of zeros in its shortcuts are, last or both (sides)")
	return func(path string) (*network.Weights, *origin, error) {
		reading := network.Reading{Classes: *classes}
		switch {
		case (*mean == "") != (*std == ""):
			return nil, nil, errors.New("--mean and --std go together: give both")
		case *mean != "":
			var err1, err2 error
			reading.Mean, err1 = models.Numbers(*mean)
			reading.Deviation, err2 = models.Numbers(*std)
			if err := cmp.Or(err1, err2); err != nil {
				return nil, nil, fmt.Errorf("--mean and --std: %w", err)
			}
			if err := models.CheckNormalization(reading.Mean, reading.Deviation); err != nil {
				return nil, nil, fmt.Errorf("--mean and --std: %w", err)
			}
		}
		if *zeros != "" && *zeros != "last" && *zeros != "both" {
			return nil, nil, fmt.Errorf("--zeros %q: use last or both", *zeros)
		}
		if *classes < 0 {
			return nil, nil, fmt.Errorf("--classes %d: give the number of classes of the data set", *classes)
		}
		return readElsewhere(cmd, path, reading, *zeros)
	}
}

// readElsewhere reads a network's file. A file without a recipe must be one that models.Recognise knows, unless --recipe is there.
func readElsewhere(cmd *cobra.Command, path string, reading network.Reading, zeros string) (*network.Weights, *origin, error) {
	reading.ZerosOnBothSides = zeros == "both"
	named := cmd.Flags().Changed("recipe") && cmd.Name() == "import"
	if named {
		weights, err := network.ReadWeights(path, reading)
		return weights, nil, err
	}
	info, err := models.Read(path)
	if err == nil {
		weights, err := network.ReadWeights(path, reading)
		return weights, &origin{recipe: info.Recipe, source: path}, err
	}
	if !errors.Is(err, models.ErrNoRecipe) {
		return nil, nil, err
	}
	e, unknown := models.Recognise(path)
	if unknown != nil {
		return nil, nil, unknown
	}
	if e == nil {
		return nil, nil, fmt.Errorf("%w; its tensors (%s) have the names of no network that needs none", err, models.FirstNames(path))
	}
	config, err := models.ReadConfig(path)
	if err == nil {
		err = e.Agrees(path, config)
	}
	if err != nil {
		return nil, nil, err
	}
	reading.Name, reading.Adapt = e.Described(config), true
	if zeros == "" {
		reading.ZerosOnBothSides = e.ZerosOnBothSides
	}
	if reading.Mean == nil {
		reading.Mean, reading.Deviation = config.Mean, config.Std
	}
	if reading.Mean == nil {
		reading.Mean, reading.Deviation = e.Mean, e.Deviation
	}
	weights, err := network.ReadWeights(path, reading)
	if err != nil {
		return nil, nil, err
	}
	set := e.Dataset()
	recipe, err := recipes.Preset(set)
	if err != nil {
		return nil, nil, err
	}
	sum := fmt.Sprintf("%s, sha256 %s", path, weights.Sum())
	over := func(base *recipes.Recipe, _ bool) {
		e.Apply(base)
		if e.Large() && !cmd.Flags().Changed("image-size") {
			e.Sizes(config, base)
		}
		base.From, base.Description = sum, ""
	}
	over(&recipe, false)
	return weights, &origin{recipe: recipe, source: set + " with the network of " + path, over: over}, nil
}

// beginning is what a run begins with that is to be fine-tuned.
type beginning struct {
	weights *network.Weights // nil if the run has them already
	origin  *origin
}

// beginningOf finds what train --from names, a run or a file, for the new run or the one to be continued.
func beginningOf(cmd *cobra.Command, from, name, folder string) (begin beginning, err error) {
	if name == "" {
		return begin, errors.New("--from begins a run of its own: name it with --run NAME")
	}
	dir, err := runs.Folder(folder, name)
	if err != nil {
		return begin, err
	}
	if training.Begun(dir) {
		run, err := runs.Open(dir)
		if err != nil {
			return begin, err
		}
		if !strings.HasPrefix(run.Recipe.From, from+", ") {
			return begin, fmt.Errorf("the run %s exists already, and it did not begin with %s: choose another run name", dir, from)
		}
		again := tuned(run.Recipe, dir)
		over := again.over
		again.over = func(base *recipes.Recipe, named bool) {
			if over(base, named); !named {
				*base = run.Recipe
			}
		}
		return beginning{origin: again}, nil
	}
	if _, err := os.Stat(from); err == nil && filepath.Ext(from) != "" || filepath.Ext(from) == models.Extension {
		weights, origin, err := readElsewhere(cmd, from, network.Reading{}, "")
		if err != nil {
			return begin, err
		}
		weights.Adapt()
		if origin.over == nil {
			origin.recipe.From = fmt.Sprintf("%s, sha256 %s", from, weights.Sum())
			origin = tuned(origin.recipe, from)
		} else {
			all := origin.over
			origin.over = func(base *recipes.Recipe, named bool) {
				own := *base
				if all(base, named); named { // its survival probabilities and learning rate are set anew
					copySurvival(base, own)
					base.LearningRate = own.LearningRate
				}
			}
		}
		return beginning{weights, origin}, nil
	}
	run, err := runs.Find(folder, from)
	if err != nil {
		return begin, err
	}
	b, err := backend.Open()
	if err != nil {
		return begin, err
	}
	weights, step, err := training.Weights(b, run, training.Best)
	if err != nil {
		return begin, err
	}
	recipe := run.Recipe
	recipe.From = fmt.Sprintf("%s, step %d, sha256 %s", from, step, weights.Sum())
	return beginning{weights.Adapt(), tuned(recipe, from)}, nil
}

// tuned is the recipe of a network to be trained further. On another data set, or with a recipe of its own, the network stays
// what it is; how blocks close stays too, unless --recipe says it.
func tuned(made recipes.Recipe, source string) *origin {
	return &origin{recipe: made, source: source, over: func(base *recipes.Recipe, named bool) {
		base.Block, base.Blocks, base.Depth = made.Block, made.Blocks, made.Depth
		base.Stem, base.Shortcut, base.PatchSize, base.Pooling = made.Stem, made.Shortcut, made.PatchSize, made.Pooling
		base.Encoder = made.Encoder
		base.Normalization, base.From = made.Normalization, made.From
		if !named {
			copySurvival(base, made)
			base.LearningRate = made.LearningRate // a preset's may be too high for the network
		}
		if base.Dataset == made.Dataset {
			base.Seed = made.Seed // another would validate on images of the training
		}
		set, err := dataset.Find(base.Dataset)
		if side := made.Image().Height; err == nil && base.ImageSize == 0 && side != base.Image().Height && set.CheckSize(side) == nil {
			base.ImageSize, base.ResizeSize = side, 0
			if stored := made.Stored().Height; stored != side && set.CheckSize(stored) == nil {
				base.ResizeSize = stored
			}
		}
	}}
}

// copySurvival gives a recipe the keys of another one that say how blocks close.
func copySurvival(r *recipes.Recipe, from recipes.Recipe) {
	for _, key := range recipes.StochasticKeys {
		_ = r.Set(key, from.Get(key)) // a valid recipe's
	}
}
