package notebook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// EnvTiny names the environment variable that makes the notebooks small, so that `make
// test` can execute them all, with results in a folder of their own.
const EnvTiny = "STOCHDEPTH_TINY"

// Tiny reports whether this is a trial at the small size, whose numbers mean nothing.
func Tiny() bool { return os.Getenv(EnvTiny) != "" }

// Preset is [recipes.Preset] with some keys changed, such as "depth=14", and made small in a trial.
func Preset(name string, settings ...string) (recipes.Recipe, error) {
	recipe, err := whole(name, settings)
	if err == nil && Tiny() {
		recipe.Depth = min(recipe.Depth, 14)
		recipe.Epochs, recipe.WarmupEpochs, recipe.EvaluateEvery = 2, 0, 0
		recipe.BatchSize = min(recipe.BatchSize, 32)
		recipe.TrainImages, recipe.ValidationImages, recipe.TestImages = 128, 64, 64
	}
	return recipe, err
}

// whole is Preset at its whole size, in a trial too.
func whole(name string, settings []string) (recipes.Recipe, error) {
	recipe, err := recipes.Preset(name)
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		if err == nil {
			err = recipe.Set(key, value)
		}
	}
	return recipe, err
}

// Recipe is [Preset] for a cell: an error ends the cell.
func Recipe(name string, settings ...string) recipes.Recipe { return Must(Preset(name, settings...)) }

// RunDir is the folder of a run, data/runs/<name>. The names of notebooks' runs begin with notebook-, and git ignores them.
// A name that [runs.CheckName] refuses ends the cell.
func RunDir(name string) string {
	dir, err := runs.Folder(output("data/runs", ""), name)
	Check(err)
	return dir
}

// Run opens the run in [RunDir](name). If there is none, the cell ends.
func Run(name string) *runs.Run {
	run, err := runs.Find(output("data/runs", ""), RunDir(name))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no run %s yet: run the cell that trains it first", name)
	}
	return Must(run, err)
}

// ModelPath is the file of a trained network that belongs to the project, data/models/<name>.safetensors, in a trial too.
func ModelPath(name string) string {
	path, err := inProject(filepath.Join("data", "models", strings.TrimSuffix(name, models.Extension)+models.Extension))
	Check(err)
	return path
}

// FigurePath is the file of a figure that a notebook draws, .out/figures/<name>, which git ignores. (The folder figures is
// for figures of recorded runs.)
func FigurePath(name string) string {
	if Tiny() {
		return output("figures", name)
	}
	return output(".out/figures", name)
}

// output is a path below the project's folder, or in a trial below a folder for trials.
func output(folder, name string) string {
	root, err := project.Root()
	Check(err)
	if Tiny() {
		root = filepath.Join(root, ".out", "tiny")
	}
	return filepath.Join(root, filepath.FromSlash(folder), name)
}
