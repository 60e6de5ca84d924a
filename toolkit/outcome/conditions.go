package outcome

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Conditions describes recorded runs in sentences for a caption: data set, depth, rule, epochs, n, seeds, machine and
// commit, and how far those are that are not trained to their end.
func Conditions(list []*runs.Run) string {
	if len(list) == 0 {
		return ""
	}
	each := func(textOf func(r *runs.Run) string) []string {
		return distinct(list, func(r *runs.Run) []string { return []string{textOf(r)} })
	}
	sentence := many(each(func(r *runs.Run) string { return DatasetName(r.Recipe) })) + ", " +
		many(each(func(r *runs.Run) string { return fmt.Sprint(r.Recipe.Depth) })) + " layers"
	blocks := each(func(r *runs.Run) string { return r.Recipe.Block })
	if len(blocks) > 1 || len(blocks) == 1 && blocks[0] != recipes.Default().Block {
		sentence += ", " + many(blocks) + " blocks"
	}
	for _, rule := range rulesOf(list) {
		sentence += "; " + rule
	}
	epochs := many(each(func(r *runs.Run) string { return fmt.Sprint(r.Recipe.Epochs) }))
	if sentence += "; " + epochs + " epoch"; epochs != "1" {
		sentence += "s"
	}
	seeds := each(func(r *runs.Run) string { return fmt.Sprint(r.Recipe.Seed) })
	sentence += fmt.Sprintf("; %d run%s (n = %s), seed%s %s", len(list), say.Plural(len(list)), repeats(list),
		say.Plural(len(seeds)), many(seeds))
	if !sameSeeds(list) {
		sentence += ", not the same for all settings"
	}
	if machines := distinct(list, machinesOf); len(machines) > 0 {
		sentence += "; " + many(machines)
	}
	if commits := distinct(list, commitsOf); len(commits) > 0 {
		sentence += "; commit" + say.Plural(len(commits)) + " " + many(commits)
	}
	sentence += "."
	for _, run := range list {
		if run.Unfinished() {
			sentence += fmt.Sprintf(" The run %s has done %s of %d epochs.", run.Name, say.Decimal(run.EpochsDone()), run.Recipe.Epochs)
		}
	}
	return sentence
}

// rulesOf describes the survival rules of runs, each with its p_L. Variants of one rule with the same p_L are named together.
func rulesOf(list []*runs.Run) (texts []string) {
	type rule struct {
		name, survivals string
		variants        []string
	}
	var rules []*rule
	for _, variant := range distinct(list, func(r *runs.Run) []string { rule, _ := ruleOf(r.Recipe); return []string{rule} }) {
		survivals := many(distinct(list, func(r *runs.Run) []string {
			if own, survival := ruleOf(r.Recipe); own == variant {
				return []string{survival}
			}
			return nil
		}))
		name, kind, _ := strings.Cut(variant, ", ")
		i := slices.IndexFunc(rules, func(r *rule) bool { return r.name == name && r.survivals == survivals })
		if i < 0 || survivals == "" {
			i, rules = len(rules), append(rules, &rule{name: name, survivals: survivals})
		}
		rules[i].variants = append(rules[i].variants, kind)
	}
	for _, r := range rules {
		text := r.name
		if r.variants[0] != "" {
			text += ", " + r.variants[0]
		}
		if others := r.variants[1:]; len(others) > 0 {
			text += " (also with " + strings.Join(others, "; ") + ")"
		}
		if r.survivals != "" {
			text += ", p_L = " + r.survivals
		}
		texts = append(texts, text)
	}
	return texts
}

// distinct lists the different texts of runs, without empty ones.
func distinct(list []*runs.Run, textsOf func(*runs.Run) []string) (texts []string) {
	for _, run := range list {
		for _, text := range textsOf(run) {
			if text != "" && !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
	}
	return texts
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

// machinesOf names the machines that trained a run; a run whose first session has not ended names none yet.
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

// repeats is the number of runs of each setting: "1", or "1 to 3".
func repeats(list []*runs.Run) string {
	low, high := math.MaxInt, 0
	for _, group := range BySetting(list) {
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
	for _, group := range BySetting(list) {
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

// many lists a few values, numbers in ascending order. Of many numbers it gives the range and the count, of many other
// values the first two and how many others there are.
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
		return fmt.Sprintf("%s to %s (%d values)", say.Decimal(numbers[values[0]]), say.Decimal(numbers[values[len(values)-1]]),
			len(values))
	}
	return fmt.Sprintf("%s and %d others", strings.Join(values[:2], ", "), len(values)-2)
}
