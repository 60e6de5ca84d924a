package outcome

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// DataName names the data of a recipe as the paper writes it: "CIFAR-10+" is augmented by flips and shifts. Shapes are this
// project's own data, of a size that is given if it is not the usual one: "shapes 64x64, crops".
func DataName(r recipes.Recipe) string {
	name := r.Dataset
	if set, err := dataset.Find(name); err == nil {
		name = set.Title
	}
	if size := r.Canonical().ImageSize; size != 0 {
		name += fmt.Sprintf(" %dx%d", size, size)
	}
	switch r.Augment {
	case "shift":
		name += "+"
	case "crop":
		name += ", crops"
	}
	return name
}

// DatasetName is [DataName] with the number of training images, if that is not the whole set: "CIFAR-10 (1000 images)".
func DatasetName(r recipes.Recipe) string {
	if r.TrainImages > 0 {
		return fmt.Sprintf("%s (%d images)", DataName(r), r.TrainImages)
	}
	return DataName(r)
}

// Closing says in a cell or a title how blocks close; the linear rule is the paper's and not mentioned: "p_L = 0.8".
func Closing(r recipes.Recipe) string { return strings.TrimPrefix(r.Closing(), "linear, ") }

// Setting says in a cell what the runs of a recipe are, without their data: "500 images, 20 layers, p_L = 0.5, 240
// epochs".
func Setting(r recipes.Recipe) string {
	var parts []string
	if r.TrainImages > 0 {
		parts = append(parts, fmt.Sprintf("%d images", r.TrainImages))
	}
	parts = append(parts, fmt.Sprintf("%d layers", r.Depth))
	if !r.IsConstant() {
		parts = append(parts, Closing(r))
	}
	return strings.Join(append(parts, fmt.Sprintf("%d epochs", r.Epochs)), ", ")
}

// Split separates runs of constant depth from the others, each in their order.
func Split(list []*runs.Run) (constant, stochastic []*runs.Run) {
	for _, run := range list {
		if run.Recipe.IsConstant() {
			constant = append(constant, run)
		} else {
			stochastic = append(stochastic, run)
		}
	}
	return constant, stochastic
}

// BySetting groups runs that differ in the seed only, in the order of the first run of each group.
func BySetting(list []*runs.Run) [][]*runs.Run {
	var groups [][]*runs.Run
next:
	for _, run := range list {
		for i, group := range groups {
			if recipes.SameSetting(group[0].Recipe, run.Recipe) {
				groups[i] = append(group, run)
				continue next
			}
		}
		groups = append(groups, []*runs.Run{run})
	}
	return groups
}

// SettingsOf groups runs that differ in how blocks close and in the seed only, constant depth first; a group differs in the seed.
// Runs that differ in more are an error.
func SettingsOf(list []*runs.Run) ([][]*runs.Run, error) {
	if err := sameSettings(list, "seed"); err != nil {
		return nil, err
	}
	constant, stochastic := Split(list)
	return BySetting(slices.Concat(constant, stochastic)), nil
}

// sameSettings returns an error that names the first run whose recipe differs from the first one's in keys other than
// those of the survival rule and the allowed ones, and says how.
func sameSettings(list []*runs.Run, allowed ...string) error {
	for _, run := range list[min(1, len(list)):] {
		if d := differences(list[0].Recipe, run.Recipe, slices.Concat(recipes.StochasticKeys, allowed)...); d != "" {
			return fmt.Errorf("the runs %s and %s cannot be compared, their recipes differ in %s", list[0].Name, run.Name, d)
		}
	}
	return nil
}

// sameMethod returns an error that names the first stochastic run that differs from the first one in more of how blocks
// close than their probabilities, such as in the schedule: a figure by p_L would show both as one setting.
func sameMethod(list []*runs.Run) error {
	var first *runs.Run
	for _, run := range list {
		switch {
		case run.Recipe.IsConstant():
			continue
		case first == nil:
			first = run
		}
		d := differences(first.Recipe.Canonical(), run.Recipe.Canonical(),
			"rule", "death_rate", "survival_probabilities", "depth", "seed")
		if d != "" {
			return fmt.Errorf("the runs %s and %s are of two stochastic settings, their recipes differ in %s: "+
				"name those of one", first.Name, run.Name, d)
		}
	}
	return nil
}

// differences says in which keys, apart from the ignored ones, two recipes differ, and how; "" if in none.
func differences(a, b recipes.Recipe, ignored ...string) string {
	return strings.Join(slices.DeleteFunc(recipes.Differences(a, b), func(d string) bool {
		key, _, _ := strings.Cut(d, ":")
		return slices.Contains(ignored, key)
	}), "; ")
}

// Counterpart returns the index of the group of constant depth that stochastic runs are to be compared with: the one of
// the same data, network and optimizer. It is an error if there is none.
func Counterpart(constants [][]*runs.Run, stochastic []*runs.Run) (int, error) {
	for i, constant := range constants {
		if sameSettings([]*runs.Run{constant[0], stochastic[0]}, "seed") == nil {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the run %s has no run of constant depth with the same settings to be compared with", stochastic[0].Name)
}

// OfSharedSeeds keeps of each list the runs whose seed the other has too; if no seed is shared, both lists stay as they
// are. Without this, a seed that is hard for every network would look like a difference of the settings.
func OfSharedSeeds(a, b []*runs.Run) (sharedA, sharedB []*runs.Run) {
	shared := func(list, other []*runs.Run) (kept []*runs.Run) {
		for _, run := range list {
			if indexOfSeed(other, run.Recipe.Seed) >= 0 {
				kept = append(kept, run)
			}
		}
		return kept
	}
	if sharedA, sharedB = shared(a, b), shared(b, a); len(sharedA) == 0 {
		return a, b
	}
	return sharedA, sharedB
}

// indexOfSeed is the index of the run with a seed, or -1.
func indexOfSeed(list []*runs.Run, seed int64) int {
	return slices.IndexFunc(list, func(r *runs.Run) bool { return r.Recipe.Seed == seed })
}

// onlySeeds returns an error unless the group has runs, of one setting, which differ in the seed.
func onlySeeds(group []*runs.Run) error {
	if len(group) == 0 {
		return errors.New("there is nothing to compare: name a run of each side at least")
	}
	for _, run := range group {
		if !recipes.SameSetting(group[0].Recipe, run.Recipe) {
			return fmt.Errorf("the runs %s and %s are of two settings: compare one of them at a time", group[0].Name, run.Name)
		}
	}
	return distinctSeeds(group)
}

// distinctSeeds returns an error if two runs of one setting have the same seed.
func distinctSeeds(group []*runs.Run) error {
	seeds := make(map[int64]string)
	for _, run := range group {
		if twin, twice := seeds[run.Recipe.Seed]; twice {
			return fmt.Errorf("the runs %s and %s are one experiment with one seed: they are not two repeats, name one of them",
				twin, run.Name)
		}
		seeds[run.Recipe.Seed] = run.Name
	}
	return nil
}

// SameRegime returns an error unless the two lists, one constant and one stochastic setting, can be compared.
func SameRegime(constant, stochastic []*runs.Run) error {
	if len(constant) == 0 || len(stochastic) == 0 {
		return fmt.Errorf("%d runs of constant and %d of stochastic depth are no comparison: "+
			"name one of each at least", len(constant), len(stochastic))
	}
	for _, run := range constant {
		if !run.Recipe.IsConstant() {
			return fmt.Errorf("the run %s is not of constant depth: its death rate must be 0", run.Name)
		}
	}
	for _, run := range stochastic {
		if run.Recipe.IsConstant() {
			return fmt.Errorf("the run %s is of constant depth, where one of stochastic depth is to be compared", run.Name)
		}
	}
	return OnlySeedsApart(constant, stochastic)
}

// OnlySeedsApart returns an error unless runs of constant depth and runs of one stochastic setting differ only in the
// survival rule and the seed, and no two of one kind have the same seed. There may be no stochastic runs.
func OnlySeedsApart(constant, stochastic []*runs.Run) error {
	if err := sameSettings(slices.Concat(constant, stochastic), "seed"); err != nil {
		return err
	}
	for _, run := range stochastic {
		if !recipes.SameSetting(stochastic[0].Recipe, run.Recipe) {
			return fmt.Errorf("the runs %s and %s are of two stochastic settings: "+
				"compare one of them at a time", stochastic[0].Name, run.Name)
		}
	}
	if err := distinctSeeds(constant); err != nil {
		return err
	}
	return distinctSeeds(stochastic)
}
