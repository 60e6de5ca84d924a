package sweep

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// file is a sweep file as written:
//
//	{"description": "...", "recipe": "shapes", "set": {"epochs": 5}, "grid": {"death_rate": [0, 0.5], "seed": [1, 2]}}
//
// The recipe is a preset's name, a recipe file's path (from the sweep file's folder) or a recipe itself; left out, it
// is the preset of the data set. A recipe with lists in place of some values is a sweep too.
type file struct {
	Description string
	Name        string
	Recipe      json.RawMessage
	Set         map[string]json.RawMessage
	Grid        map[string]json.RawMessage
}

var fileKeys = []string{"description", "name", "recipe", "set", "grid"}

// listKeys are the recipe's keys whose value is a list already.
var listKeys = []string{"milestones", "survival_probabilities"}

// Find returns the path of a sweep: name itself if it is a path, else folder/name.json.
func Find(folder, name string) (string, error) {
	if strings.HasSuffix(name, ".json") || strings.ContainsRune(name, filepath.Separator) {
		return name, nil
	}
	path := filepath.Join(folder, name+".json")
	if _, err := os.Stat(path); err != nil {
		var known []string
		paths, _ := filepath.Glob(filepath.Join(folder, "*.json"))
		for _, p := range paths {
			known = append(known, strings.TrimSuffix(filepath.Base(p), ".json"))
		}
		if len(known) == 0 {
			return "", fmt.Errorf("no sweep %q: there is no sweep file in %s", name, folder)
		}
		return "", fmt.Errorf("no sweep %q%s: the sweeps in %s are %s",
			name, say.DidYouMean(name, known), folder, strings.Join(known, ", "))
	}
	return path, nil
}

// Read reads a sweep file and expands it. The same file always gives the same jobs in the same order. Unknown keys are
// refused, and the nearest known ones are named; a grid with an invalid recipe is refused too.
func Read(path string) (*Sweep, error) {
	data, err := files.ReadText(path, files.LargestText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no sweep file %s: %w", path, fs.ErrNotExist)
	} else if err != nil {
		return nil, fmt.Errorf("cannot read the sweep: %w", err)
	}
	f, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("sweep %s: %w", path, err)
	}
	if f.Name == "" {
		f.Name = strings.TrimSuffix(filepath.Base(path), ".json")
	}
	s := &Sweep{Name: runs.Dashed(f.Name), Folder: f.Name, Description: f.Description, Path: path}
	if err := s.expand(f); err != nil {
		return nil, fmt.Errorf("sweep %s: %w", path, err)
	}
	return s, nil
}

func parse(data []byte) (file, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return file{}, fmt.Errorf("not a JSON object: %w", err)
	}
	if isRecipe(keys) {
		return fromRecipe(keys)
	}
	for key := range keys {
		if !slices.Contains(fileKeys, key) {
			return file{}, fmt.Errorf("unknown key %q%s: the keys of a sweep are %s, and those of a recipe go into set and grid",
				key, say.DidYouMean(key, fileKeys), strings.Join(fileKeys, ", "))
		}
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return file{}, fmt.Errorf("description and name are texts, set and grid objects: %w", err)
	}
	if len(f.Grid) == 0 {
		return file{}, errors.New(`there is no grid: add "grid": {"death_rate": [0, 0.5]}, for example`)
	}
	return f, nil
}

// isRecipe reports whether the keys are a recipe's, with none that only a sweep has.
func isRecipe(keys map[string]json.RawMessage) bool {
	for _, key := range []string{"recipe", "set", "grid"} {
		if keys[key] != nil {
			return false
		}
	}
	for key := range keys {
		if key != "description" && slices.Contains(recipes.Keys(), key) {
			return true
		}
	}
	return false
}

// fromRecipe takes the lists of a recipe for the grid, and the rest for the recipe.
func fromRecipe(keys map[string]json.RawMessage) (file, error) {
	f := file{Grid: make(map[string]json.RawMessage)}
	for key, value := range keys {
		value = bytes.TrimSpace(value)
		isList := value[0] == '['
		if isList && slices.Contains(listKeys, key) { // then a list of lists
			value := bytes.TrimSpace(value[1:])
			isList = len(value) > 0 && value[0] == '['
		}
		if isList {
			f.Grid[key] = value
			delete(keys, key)
		}
	}
	for key, text := range map[string]*string{"description": &f.Description, "name": &f.Name} {
		if value, there := keys[key]; there {
			if err := json.Unmarshal(value, text); err != nil {
				return file{}, fmt.Errorf("%s must be a text", key)
			}
			delete(keys, key)
		}
	}
	if len(f.Grid) == 0 {
		return file{}, errors.New("no key has a list of values, so there is nothing to sweep over")
	}
	var err error
	f.Recipe, err = json.Marshal(keys)
	return f, err
}

func (s *Sweep) expand(f file) error {
	if runs.CheckName(f.Name) != nil {
		return fmt.Errorf("the name %q is not suitable for run folders: use letters, digits, dots and dashes", f.Name)
	}
	if err := s.readAxes(f.Grid); err != nil {
		return err
	}
	for key := range f.Set {
		if f.Grid[key] != nil {
			return fmt.Errorf("%s is in set and in grid: leave it in one", key)
		}
	}
	bases := make(map[string]recipes.Recipe)
	byName := make(map[string]recipes.Recipe)
	for _, values := range product(s.Axes) {
		recipe, err := s.recipe(f, values, bases)
		if err != nil {
			return err
		}
		point := s.point(recipe, values)
		job := Job{Name: fmt.Sprintf("%s-s%d", point, recipe.Seed), Point: point, Recipe: recipe, Values: values}
		if err := recipe.Validate(); err != nil {
			return fmt.Errorf("run %s: %w", job.Name, err)
		}
		if err := runs.CheckName(job.Name); err != nil {
			return err
		}
		if other, there := byName[job.Name]; there {
			differences := recipes.Differences(other, recipe)
			switch {
			case len(differences) == 0:
				return fmt.Errorf("the grid has a value twice: it gives the run %s two times", job.Name)
			case recipes.SameSetting(other, recipe): // constant depth is the same network by every rule
				continue
			}
			return fmt.Errorf("two runs would have the name %s (%s): leave one out", job.Name, strings.Join(differences, "; "))
		}
		byName[job.Name] = recipe
		job.Index = len(s.Jobs)
		s.Jobs = append(s.Jobs, job)
	}
	return nil
}

// readAxes reads the grid. The order of the axes does not depend on the file: seeds vary slowest, so that the first seed
// soon gives a picture of the whole, then data sets, depths and the rest; death rates vary fastest.
func (s *Sweep) readAxes(grid map[string]json.RawMessage) error {
	var unsorted []string
	lists := make(map[string][]json.RawMessage)
	total := 1
	for key, raw := range grid {
		var values []json.RawMessage
		if err := json.Unmarshal(raw, &values); err != nil || len(values) == 0 {
			return fmt.Errorf("grid: %s must be a list of values, such as [0, 0.5]", key)
		}
		if total *= min(len(values), MaxJobs+1); total > MaxJobs {
			return errors.New("the grid has more than 100,000 combinations, the most that a sweep may have: " +
				"give fewer values, or make several sweeps")
		}
		lists[key] = values
	}
	for key, values := range lists {
		axis := Axis{Key: key}
		for _, value := range values {
			text, err := asText(key, value)
			if err != nil {
				return err
			}
			axis.Values = append(axis.Values, text)
		}
		s.Axes = append(s.Axes, axis)
		unsorted = append(unsorted, key)
	}
	order := append([]string{"seed", "dataset", recipes.Network, "depth"}, recipes.Keys()...)
	order = slices.DeleteFunc(order, func(key string) bool { return key == "rule" || key == "death_rate" })
	order = append(order, "rule", "death_rate", recipes.Budget)
	for _, key := range unsorted {
		if !slices.Contains(order, key) {
			var r recipes.Recipe
			return fmt.Errorf("grid: %w", r.Set(key, "")) // names the nearest key
		}
	}
	sort.Slice(s.Axes, func(i, j int) bool {
		return slices.Index(order, s.Axes[i].Key) < slices.Index(order, s.Axes[j].Key)
	})
	return nil
}

// product lists the combinations of all values, the last axis varying fastest.
func product(axes []Axis) [][]string {
	all := [][]string{nil}
	for _, axis := range axes {
		var longer [][]string
		for _, values := range all {
			for _, value := range axis.Values {
				longer = append(longer, append(slices.Clone(values), value))
			}
		}
		all = longer
	}
	return all
}

// recipe returns the sweep's recipe with the keys of set and of a point of the grid. bases keeps the recipes to start
// from, so that the one of a data set is read once.
func (s *Sweep) recipe(f file, values []string, bases map[string]recipes.Recipe) (recipes.Recipe, error) {
	settings := make(map[string]string)
	for key, value := range f.Set {
		text, err := asText(key, value)
		if err != nil {
			return recipes.Recipe{}, err
		}
		settings[key] = text
	}
	var chosen []string
	for i, axis := range s.Axes {
		settings[axis.Key] = values[i]
		chosen = append(chosen, axis.Key+" "+values[i])
	}
	recipe, known := bases[settings["dataset"]]
	if !known {
		var err error
		if recipe, err = base(f.Recipe, settings["dataset"], filepath.Dir(s.Path)); err != nil {
			return recipe, err
		}
		bases[settings["dataset"]] = recipe
	}
	keys := slices.Sorted(maps.Keys(settings))
	if err := recipes.Compatible(keys); err != nil {
		return recipe, err
	}
	slices.SortStableFunc(keys, recipes.Order)
	for _, key := range keys {
		if err := recipe.Set(key, settings[key]); err != nil {
			return recipe, err
		}
	}
	recipe.Description = fmt.Sprintf("Of the sweep %s: %s. Run: stochdepth sweep run %s",
		s.Name, strings.Join(chosen, ", "), s.Name)
	return recipe, nil
}

// base reads the recipe that a sweep starts from.
func base(raw json.RawMessage, dataset, folder string) (recipes.Recipe, error) {
	name := cmp.Or(dataset, "shapes")
	if len(raw) > 0 && json.Unmarshal(raw, &name) != nil {
		return recipes.Parse(raw)
	}
	if !isPath(name) {
		return recipes.Preset(name)
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(folder, name)
	}
	return recipes.Read(name)
}

func isPath(recipe string) bool {
	return strings.HasSuffix(recipe, ".json") || strings.ContainsRune(recipe, '/')
}

// asText turns a JSON value into the text that Recipe.Set takes.
func asText(key string, value json.RawMessage) (string, error) {
	var text string
	var compact bytes.Buffer
	switch value = bytes.TrimSpace(value); {
	case json.Unmarshal(value, &text) == nil && string(value) != "null":
		return text, nil
	case value[0] == '{' || string(value) == "null" || json.Compact(&compact, value) != nil:
		return "", fmt.Errorf("%s: %s is no value of a recipe", key, value)
	}
	return strings.Trim(compact.String(), "[]"), nil
}

// OtherKeys returns the keys of the grid other than the usual ones: data set, depth, rule, death rate and seed.
func (s *Sweep) OtherKeys() []string {
	var keys []string
	for _, axis := range s.Axes {
		if !isUsual(axis.Key) {
			keys = append(keys, axis.Key)
		}
	}
	return keys
}

// Others returns the values of a job for the keys of [Sweep.OtherKeys].
func (s *Sweep) Others(job Job) []string {
	var values []string
	for i, axis := range s.Axes {
		if !isUsual(axis.Key) {
			values = append(values, job.Values[i])
		}
	}
	return values
}

func isUsual(key string) bool {
	switch key {
	case "dataset", "depth", "rule", "death_rate", "seed":
		return true
	}
	return false
}
