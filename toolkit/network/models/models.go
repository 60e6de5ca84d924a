// Package models manages trained networks that are kept as files, one safetensors file each, so that nobody needs to train
// before evaluating, dissecting or teaching. The metadata of the file describe the network: the recipe that made it, the
// run, the epoch and its errors, the seed, the commit, the machine. The small networks that belong to the project are in
// its folder data/models. Package network opens them; this package does not need GoMLX.
package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Extension ends the name of every network's file.
const Extension = ".safetensors"

// MaxBytes is the size that a file of data/models must not reach: a network of 20 layers has 1.1 MB, one of 110 about 7.
const MaxBytes = 8_000_000

// Info describes a network, as its file does. What the file does not say is NaN, zero or "".
type Info struct {
	Path   string // of the file; "" for a network that is not in a file yet
	Bytes  int64  // of the file
	Recipe recipes.Recipe

	Run             string            // name of the run from which it comes
	Checkpoint      string            // of the run: best (lowest validation error) or last
	Step            int64             // minibatches done
	Epoch           float64           // epochs done
	ValidationError float64           // percent, at that epoch
	TestError       float64           // percent, at that epoch
	TrainingImages  int               // number of images on which it was trained
	Pictures        *dataset.Contents // of the folder on which it was trained; nil for other data sets
	Kept            []int             // of a pruned network: the blocks that are left, counted from 1
	Whole           int               // of a pruned network: the number of blocks before

	Commit  string // of this project's source; several if the run went on with another: "d3bc219…, f3238c5…"
	Machine string // that trained it; several with a semicolon between them
}

// OfRun describes the network of a run's checkpoint, made at the given step. The errors are those of the row at that step;
// the best checkpoint always has one, and for a checkpoint between two rows they are NaN.
func OfRun(run *runs.Run, step int64, trainingImages int) Info {
	info := Info{
		Recipe: run.Recipe, Run: run.Name, Checkpoint: "last", Step: step, TrainingImages: trainingImages,
		Epoch: math.NaN(), ValidationError: math.NaN(), TestError: math.NaN(),
	}
	if best, ok := run.Best(); ok && best.Step == step {
		info.Checkpoint = "best"
	}
	for _, row := range run.Rows {
		if row.Step == step {
			info.Epoch, info.ValidationError, info.TestError = row.Epoch, row.ValidationError, row.TestError
		}
	}
	if run.Result != nil {
		info.Commit, info.Machine = strings.Join(run.Result.Commits(), ", "), strings.Join(run.Result.Machines(), "; ")
	}
	return info
}

// Keys of the metadata, besides "recipe". All values are texts, as the format demands.
const (
	keyRun             = "run"
	keyCheckpoint      = "checkpoint"
	keyStep            = "step"
	keyEpoch           = "epoch"
	keyValidationError = "validation_error" // percent
	keyTestError       = "test_error"       // percent
	keySeed            = "seed"             // the recipe's, for programs that do not read the recipe
	keyTrainingImages  = "training_images"
	keyCommit          = "commit"
	keyMachine         = "machine"
	keyPictures        = "pictures" // JSON
	keyKept            = "kept_blocks"
	keyWhole           = "blocks_before"
	keyMean            = "mean" // in files with torchvision's names: the normalisation of pixels from 0 to 1
	keyDeviation       = "std"
)

// Metadata returns the texts in the network's file; network.Model.Export adds the recipe. Equal networks have equal metadata:
// there is no date in it. Unknown things are left out.
func (i Info) Metadata() map[string]string {
	meta := map[string]string{
		keyRun: i.Run, keyCheckpoint: i.Checkpoint, keyCommit: i.Commit, keyMachine: i.Machine,
		keyStep: strconv.FormatInt(i.Step, 10), keySeed: strconv.FormatInt(i.Recipe.Seed, 10),
	}
	numbers := map[string]float64{keyEpoch: i.Epoch, keyValidationError: i.ValidationError, keyTestError: i.TestError}
	for key, value := range numbers {
		if !math.IsNaN(value) {
			meta[key] = say.Exact(value)
		}
	}
	if i.TrainingImages > 0 {
		meta[keyTrainingImages] = strconv.Itoa(i.TrainingImages)
	}
	if i.Pictures != nil {
		if data, err := json.Marshal(i.Pictures); err == nil {
			meta[keyPictures] = string(data)
		}
	}
	if len(i.Kept) > 0 {
		meta[keyKept], meta[keyWhole] = strings.Trim(strings.ReplaceAll(fmt.Sprint(i.Kept), " ", ","), "[]"), strconv.Itoa(i.Whole)
	}
	for key, value := range meta {
		if value == "" {
			delete(meta, key)
		}
	}
	return meta
}

// PicturesOf returns the description of the folder of pictures in a file's metadata, or nil if there is none.
func PicturesOf(meta map[string]string) (contents *dataset.Contents, err error) {
	if text := meta[keyPictures]; text != "" {
		if err := json.Unmarshal([]byte(text), &contents); err != nil {
			return nil, fmt.Errorf("%s is %w", keyPictures, err)
		}
	}
	return contents, nil
}

// AddNormalization adds a normalisation of pixels from 0 to 1 to the metadata of a file that has no tensors for it.
func AddNormalization(meta map[string]string, mean, deviation []float64) {
	meta[keyMean], meta[keyDeviation] = joined(mean), joined(deviation)
}

func joined(values []float64) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = say.Exact(v)
	}
	return strings.Join(words, ",")
}

// NormalizationOf returns the normalisation in a file's metadata, or nil if there is none.
func NormalizationOf(meta map[string]string) (mean, deviation []float64, err error) {
	if meta[keyMean] == "" && meta[keyDeviation] == "" {
		return nil, nil, nil
	}
	if mean, err = Numbers(meta[keyMean]); err == nil {
		deviation, err = Numbers(meta[keyDeviation])
	}
	if err == nil {
		err = CheckNormalization(mean, deviation)
	}
	return mean, deviation, err
}

// Numbers reads numbers with commas between them.
func Numbers(text string) (list []float64, err error) {
	for _, word := range strings.Split(text, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(word), 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no list of numbers such as 0.485,0.456,0.406", text)
		}
		list = append(list, x)
	}
	return list, nil
}

// ErrNoRecipe is the error for a file from elsewhere, which cannot be opened directly.
var ErrNoRecipe = errors.New("has no recipe in its metadata")

// Read reads a file's description of its network. A missing or damaged file, one without a recipe ([ErrNoRecipe]) and one
// whose metadata do not parse are errors, each a sentence that says what to do.
func Read(path string) (Info, error) {
	_, meta, err := tensorfile.Read(path)
	if err != nil {
		return Info{}, err
	}
	about, err := os.Stat(path)
	if err != nil {
		return Info{}, err
	}
	remedy := fmt.Sprintf("make a run from it with `stochdepth import %s --run NAME --recipe RECIPE`", path)
	if meta["recipe"] == "" {
		return Info{}, fmt.Errorf("%s %w: %s", path, ErrNoRecipe, remedy)
	}
	recipe, err := recipes.Parse([]byte(meta["recipe"]))
	if err == nil {
		err = recipe.Validate()
	}
	if err != nil {
		return Info{}, fmt.Errorf("the recipe in %s is not valid (%w): %s", path, err, remedy)
	}
	info := Info{
		Path: path, Bytes: about.Size(), Recipe: recipe,
		Run: meta[keyRun], Checkpoint: meta[keyCheckpoint], Commit: meta[keyCommit], Machine: meta[keyMachine],
		Epoch: math.NaN(), ValidationError: math.NaN(), TestError: math.NaN(),
	}
	var invalid []string
	parse := func(key string, set func(text string) error) {
		if text := meta[key]; text != "" && set(text) != nil {
			invalid = append(invalid, fmt.Sprintf("%s is %q", key, text))
		}
	}
	number := func(into *float64) func(string) error {
		return func(text string) (err error) {
			*into, err = strconv.ParseFloat(text, 64)
			return err
		}
	}
	parse(keyEpoch, number(&info.Epoch))
	parse(keyValidationError, number(&info.ValidationError))
	parse(keyTestError, number(&info.TestError))
	parse(keyStep, func(text string) (err error) { info.Step, err = strconv.ParseInt(text, 10, 64); return err })
	parse(keyTrainingImages, func(text string) (err error) { info.TrainingImages, err = strconv.Atoi(text); return err })
	parse(keyWhole, func(text string) (err error) { info.Whole, err = strconv.Atoi(text); return err })
	parse(keyKept, func(text string) error {
		for _, word := range strings.Split(text, ",") {
			block, err := strconv.Atoi(word)
			if err != nil {
				return err
			}
			info.Kept = append(info.Kept, block)
		}
		return nil
	})
	parse(keySeed, func(text string) error {
		if text != strconv.FormatInt(recipe.Seed, 10) {
			return errors.New("not the recipe's")
		}
		return nil
	})
	if info.Pictures, err = PicturesOf(meta); err != nil {
		invalid = append(invalid, err.Error())
	}
	if len(invalid) > 0 {
		return Info{}, fmt.Errorf("the metadata of %s do not parse (%s): export the network again",
			path, strings.Join(invalid, ", "))
	}
	return info, nil
}

// Name returns the file's name without its extension, or the run's if the network is in no file.
func (i Info) Name() string {
	if i.Path == "" {
		return i.Run
	}
	return strings.TrimSuffix(filepath.Base(i.Path), Extension)
}

// Complete returns nil, or an error of one sentence if the file lacks something that a file of data/models must have.
func (i Info) Complete() error {
	var missing []string
	for _, m := range []struct {
		name    string
		missing bool
	}{
		{"run", i.Run == ""}, {"epoch", math.IsNaN(i.Epoch)}, {"validation error", math.IsNaN(i.ValidationError)},
		{"test error", math.IsNaN(i.TestError)}, {"number of training images", i.TrainingImages == 0},
		{"commit", i.Commit == ""}, {"machine", i.Machine == ""},
	} {
		if m.missing {
			missing = append(missing, m.name)
		}
	}
	switch {
	case len(missing) > 0:
		return fmt.Errorf("%s does not say its %s: export it again from a run that is done", i.Path, strings.Join(missing, ", "))
	case i.Bytes >= MaxBytes:
		return fmt.Errorf("%s has %.1f MB: a network that is kept with the project has less than %d MB",
			i.Path, float64(i.Bytes)/1e6, MaxBytes/1_000_000)
	}
	return nil
}

// Record returns the run as far as the file describes it: recipe, result, and the row of the network's epoch. Figures take
// their captions from it.
func (i Info) Record() *runs.Run {
	run := &runs.Run{Name: i.Run, Recipe: i.Recipe, Result: &runs.Result{
		BestEpoch: i.Epoch, ValidationError: i.ValidationError, TestError: i.TestError, Epochs: i.Epoch, Steps: i.Step,
		Session: runs.Session{Commit: i.Commit, Machine: i.Machine},
	}}
	if run.Name == "" {
		run.Name = i.Name()
	}
	if !math.IsNaN(i.Epoch) {
		row := runs.Unknown()
		row.Epoch, row.Step, row.ValidationError, row.TestError = i.Epoch, i.Step, i.ValidationError, i.TestError
		run.Rows = []runs.Row{row}
	}
	return run
}

// Find returns the file for a name that a user gives: the path of a file, with or without the extension, or the name of a
// network in the folder. found is false if there is none.
func Find(folder, name string) (path string, found bool) {
	for _, path := range []string{name, name + Extension, filepath.Join(folder, name), filepath.Join(folder, name) + Extension} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, true
		}
	}
	return "", false
}

// List reads the descriptions of a folder's networks, sorted by name. Files that cannot be read are not in the list; the error
// joins their errors, so a caller can print both.
func List(folder string) ([]Info, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no folder %s of networks: export one with `stochdepth export RUN`, "+
				"or name the folder that holds them: %w", folder, fs.ErrNotExist)
		}
		return nil, err
	}
	var list []Info
	var broken []error
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != Extension {
			continue
		}
		info, err := Read(filepath.Join(folder, entry.Name()))
		if err != nil {
			broken = append(broken, err)
			continue
		}
		list = append(list, info)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name() < list[j].Name() })
	return list, errors.Join(broken...)
}
