package figures

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// OfRuns is the Provenance of recorded runs: data set, depth, rule, epochs, n, seeds, machine and commit, and how far they
// are where they are not trained to their end.
func OfRuns(list []*runs.Run) Provenance {
	if len(list) == 0 {
		return Recorded("")
	}
	all := func(of func(r *runs.Run) []string) []string {
		var values []string
		for _, run := range list {
			for _, v := range of(run) {
				if v != "" && !slices.Contains(values, v) {
					values = append(values, v)
				}
			}
		}
		return values
	}
	each := func(of func(r *runs.Run) string) []string {
		return all(func(r *runs.Run) []string { return []string{of(r)} })
	}
	sentence := many(each(func(r *runs.Run) string { return DatasetName(r.Recipe) })) + ", " +
		many(each(func(r *runs.Run) string { return fmt.Sprint(r.Recipe.Depth) })) + " layers"
	if blocks := each(func(r *runs.Run) string { return r.Recipe.Block }); len(blocks) > 1 || len(blocks) == 1 && blocks[0] != recipes.Default().Block {
		sentence += ", " + many(blocks) + " blocks"
	}
	for _, rule := range each(func(r *runs.Run) string { rule, _ := ruleOf(r.Recipe); return rule }) {
		sentence += "; " + rule
		survivals := each(func(r *runs.Run) string {
			if of, survival := ruleOf(r.Recipe); of == rule {
				return survival
			}
			return ""
		})
		if len(survivals) > 0 {
			sentence += ", p_L = " + many(survivals)
		}
	}
	epochs := many(each(func(r *runs.Run) string { return fmt.Sprint(r.Recipe.Epochs) }))
	if sentence += "; " + epochs + " epoch"; epochs != "1" {
		sentence += "s"
	}
	seeds := each(func(r *runs.Run) string { return fmt.Sprint(r.Recipe.Seed) })
	sentence += fmt.Sprintf("; %d run%s (n = %s), seed%s %s", len(list), say.Plural(len(list)), repeats(list), say.Plural(len(seeds)), many(seeds))
	if !sameSeeds(list) {
		sentence += ", not the same for all settings"
	}
	if machines := all(machinesOf); len(machines) > 0 {
		sentence += "; " + many(machines)
	}
	if commits := all(commitsOf); len(commits) > 0 {
		sentence += "; commit" + say.Plural(len(commits)) + " " + many(commits)
	}
	sentence += "."
	for _, run := range list {
		if run.Unfinished() {
			sentence += fmt.Sprintf(" The run %s has done %s of %d epochs.", run.Name, say.Decimal(run.EpochsDone()), run.Recipe.Epochs)
		}
	}
	return Recorded(sentence)
}

// DatasetName is a recipe's data set as the paper writes it: "CIFAR-10+" is augmented. Shapes are this project's own.
func DatasetName(r recipes.Recipe) string {
	name := r.Dataset
	if set, err := dataset.Find(name); err == nil && !set.Drawn {
		name = set.Title
		if r.Augment {
			name += "+"
		}
	}
	if r.TrainImages > 0 {
		name += fmt.Sprintf(" (%d images)", r.TrainImages)
	}
	return name
}

// ruleOf describes the survival rule of a stochastic recipe and its p_L, apart; a constant one has neither.
func ruleOf(r recipes.Recipe) (rule, survival string) {
	switch r.RuleName() {
	case "constant":
		return "", ""
	case "list":
		return r.Closing(), ""
	}
	return r.Rule + " rule" + r.Variant(), say.Decimal(r.LastSurvival())
}

// machinesOf names the machines that trained a run; a run that has not ended once names none yet.
func machinesOf(r *runs.Run) []string {
	if r.Result == nil {
		return nil
	}
	return r.Result.Machines()
}

// commitsOf names the commits that trained a run, short.
func commitsOf(r *runs.Run) (short []string) {
	if r.Result == nil {
		return nil
	}
	for _, commit := range r.Result.Commits() {
		short = append(short, strings.Split(say.ShortCommit(commit), ", ")...) // a network's file has several in one text
	}
	return short
}

// repeats is how many runs there are of each setting: "1", or "1 to 3".
func repeats(list []*runs.Run) string {
	low, high := math.MaxInt, 0
	for _, group := range bySetting(list) {
		low, high = min(low, len(group)), max(high, len(group))
	}
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

// sameSeeds reports whether all settings of a data set have the same seeds.
func sameSeeds(list []*runs.Run) bool {
	seeds := make(map[string][]int64) // of the data set's first setting
	for _, group := range bySetting(list) {
		var own []int64
		for _, run := range group {
			own = append(own, run.Recipe.Seed)
		}
		slices.Sort(own)
		data := DatasetName(group[0].Recipe)
		if others, ok := seeds[data]; ok && !slices.Equal(others, own) {
			return false
		}
		seeds[data] = own
	}
	return true
}

// many lists a few values, numbers in ascending order; of many numbers it tells the range, of other values the first
// and the count.
func many(values []string) string {
	numbers := make(map[string]float64)
	for _, value := range values {
		if x, err := strconv.ParseFloat(value, 64); err == nil {
			numbers[value] = x
		}
	}
	numeric := len(numbers) == len(values)
	if numeric {
		values = slices.SortedFunc(slices.Values(values), func(a, b string) int { return cmp.Compare(numbers[a], numbers[b]) })
	}
	switch {
	case len(values) <= 6:
		return say.Enumerate(values)
	case numeric:
		return fmt.Sprintf("%s to %s (%d values)", say.Decimal(numbers[values[0]]), say.Decimal(numbers[values[len(values)-1]]), len(values))
	}
	return fmt.Sprintf("%s and %d others", strings.Join(values[:2], ", "), len(values)-2)
}

// bySetting groups runs that differ in the seed only, in the order of their first ones.
func bySetting(list []*runs.Run) [][]*runs.Run {
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

// sameSettings returns an error that names the first run whose recipe differs from the first one's in other keys than
// those of the survival rule and the allowed ones, and says how.
func sameSettings(list []*runs.Run, allowed ...string) error {
	for _, run := range list[min(1, len(list)):] {
		if d := differences(list[0].Recipe, run.Recipe, slices.Concat(recipes.StochasticKeys, allowed)...); d != "" {
			return fmt.Errorf("the runs %s and %s cannot be compared, their recipes differ in %s", list[0].Name, run.Name, d)
		}
	}
	return nil
}

// sameMethod returns an error that names the first stochastic run that closes its blocks otherwise than the first one in
// more than their probabilities, such as by another schedule: in a figure by p_L the two would pass for one setting.
func sameMethod(list []*runs.Run) error {
	var first *runs.Run
	for _, run := range list {
		switch {
		case run.Recipe.IsConstant():
			continue
		case first == nil:
			first = run
		}
		if d := differences(first.Recipe.Canonical(), run.Recipe.Canonical(), "rule", "death_rate", "survival_probabilities", "depth", "seed"); d != "" {
			return fmt.Errorf("the runs %s and %s are of two stochastic settings, their recipes differ in %s: name those of one", first.Name, run.Name, d)
		}
	}
	return nil
}

// differences says in which keys but the ignored ones two recipes differ, and how; "" if in none.
func differences(a, b recipes.Recipe, ignored ...string) string {
	return strings.Join(slices.DeleteFunc(recipes.Differences(a, b), func(d string) bool {
		key, _, _ := strings.Cut(d, ":")
		return slices.Contains(ignored, key)
	}), "; ")
}

// Estimate is a number with its spread over runs that differ in the seed.
type Estimate struct {
	Mean      float64
	Deviation float64 // sample standard deviation; 0 where N is 1
	N         int     // runs; 0: published
	ReadOff   bool    // read off the paper's drawing
}

// Average returns the estimate of n values.
func Average(values ...float64) Estimate {
	e := Estimate{Mean: stat.Mean(values, nil), N: len(values)}
	if e.N > 1 {
		e.Deviation = stat.StdDev(values, nil)
	}
	return e
}

// estimateOf averages the selected test errors of runs of one setting.
func estimateOf(group []*runs.Run) (Estimate, error) {
	values, err := valuesOf(testError.selected, group)
	if err != nil {
		return Estimate{}, err
	}
	return Average(values...), nil
}

func noEpoch(run *runs.Run) error {
	return fmt.Errorf("the run %s has no evaluated epoch to draw yet: train it first", run.Name)
}

// survivalRule returns a run's survival probabilities.
func survivalRule(r *runs.Run) (depth.Survival, error) {
	survival, err := r.Recipe.Survival()
	if err != nil {
		return nil, fmt.Errorf("the run %s: %w", r.Name, err)
	}
	return survival, nil
}
