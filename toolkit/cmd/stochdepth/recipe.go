package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/runs"
)

// recipeOf returns the recipe named by --recipe, a preset or a file, with the flags' and --set's
// changes.
func recipeOf(cmd *cobra.Command, name string, sets []string) (runs.Recipe, error) {
	var recipe runs.Recipe
	var err error
	if dataset := cmd.Flag("dataset").Value.String(); dataset != "" && !cmd.Flag("recipe").Changed {
		name = dataset
	}
	if strings.HasSuffix(name, ".json") {
		recipe, err = runs.ReadRecipe(name)
	} else {
		recipe, err = runs.Preset(name)
	}
	if err != nil {
		return recipe, err
	}
	for _, f := range recipeFlags {
		if flag := cmd.Flag(f.flag); flag.Changed {
			if err := recipe.Set(f.key, flag.Value.String()); err != nil {
				return recipe, fmt.Errorf("--%s: %w", f.flag, err)
			}
		}
	}
	for _, set := range sets {
		key, value, ok := strings.Cut(set, "=")
		if !ok {
			return recipe, fmt.Errorf("--set %s: write key=value", set)
		}
		if err := recipe.Set(key, value); err != nil {
			return recipe, fmt.Errorf("--set %s: %w", set, err)
		}
	}
	return recipe, recipe.Validate()
}
