package outcome

import (
	"fmt"
	"math"
	"slices"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Gap is the comparison of constant and stochastic depth after one length of training.
type Gap struct {
	Epochs int
	Comparison
}

// GapsOf compares runs of one stochastic setting with runs of constant depth for each length of training, in ascending
// order. The runs may differ only in epochs, seed and how blocks close, and between lengths in how often they are
// evaluated. A second stochastic setting, and a run without its partner of the same seed and length, are errors.
func GapsOf(list []*runs.Run) ([]Gap, error) {
	if err := sameSettings(list, "epochs", "seed", "evaluate_every", "test_every"); err != nil {
		return nil, err
	}
	var lengths []int
	var first *runs.Run // of the stochastic ones
	for _, run := range list {
		if !slices.Contains(lengths, run.Recipe.Epochs) {
			lengths = append(lengths, run.Recipe.Epochs)
		}
		if run.Recipe.IsConstant() {
			continue
		}
		if first == nil {
			first = run
		}
		recipe := run.Recipe
		recipe.Epochs, recipe.EvaluateEvery, recipe.TestEvery = first.Recipe.Epochs, first.Recipe.EvaluateEvery, first.Recipe.TestEvery
		if !recipes.SameSetting(first.Recipe, recipe) {
			return nil, fmt.Errorf("the runs %s and %s are of two stochastic settings: name those of one", first.Name, run.Name)
		}
	}
	slices.Sort(lengths)
	var gaps []Gap
	for _, epochs := range lengths {
		constant, stochastic := Split(slices.DeleteFunc(slices.Clone(list), func(r *runs.Run) bool {
			return r.Recipe.Epochs != epochs
		}))
		if err := partners([2][]*runs.Run{constant, stochastic}); err != nil {
			return nil, err
		}
		c, err := Compare(constant, stochastic)
		if err != nil {
			return nil, err
		}
		gaps = append(gaps, Gap{epochs, c})
	}
	return gaps, nil
}

// partners returns an error that names the first run for which the other side has no run of the same seed.
func partners(sides [2][]*runs.Run) error {
	for i, side := range sides {
		for _, run := range side {
			if indexOfSeed(sides[1-i], run.Recipe.Seed) < 0 {
				return fmt.Errorf("the run %s has no partner of %s depth with seed %d and %d epochs to be compared with",
					run.Name, []string{"stochastic", "constant"}[i], run.Recipe.Seed, run.Recipe.Epochs)
			}
		}
	}
	return nil
}

// Overtaking says from which length on stochastic depth is ahead, by the mean differences of gaps in ascending order.
func Overtaking(gaps []Gap) string {
	var ahead, others []string
	turns, turn := 0, 0 // changes of the sign, and the gap before the last one
	for i, g := range gaps {
		if g.Difference < 0 {
			ahead = append(ahead, fmt.Sprint(g.Epochs))
		} else {
			others = append(others, fmt.Sprint(g.Epochs))
		}
		if i > 0 && (gaps[i-1].Difference < 0) != (g.Difference < 0) {
			turns, turn = turns+1, i-1
		}
	}
	level := slices.ContainsFunc(gaps, func(g Gap) bool { return g.Difference == 0 })
	switch {
	case len(gaps) == 1 && len(ahead) == 1:
		return fmt.Sprintf("Stochastic depth is ahead after %d epochs", gaps[0].Epochs)
	case len(gaps) == 1 && !level:
		return fmt.Sprintf("Stochastic depth is behind after %d epochs", gaps[0].Epochs)
	case turns == 0 && len(ahead) > 0:
		return "Stochastic depth is ahead at every length of training"
	case turns == 0 && !level:
		return "Stochastic depth is behind at every length of training"
	case turns == 1 && !level && len(ahead) > 0 && gaps[0].Difference > 0:
		return fmt.Sprintf("Stochastic depth overtakes constant depth between %d and %d epochs", gaps[turn].Epochs, gaps[turn+1].Epochs)
	case turns == 1 && !level:
		return fmt.Sprintf("Constant depth overtakes stochastic depth between %d and %d epochs", gaps[turn].Epochs, gaps[turn+1].Epochs)
	case len(ahead) == 0:
		return "Stochastic depth is not ahead at any length of training"
	}
	return fmt.Sprintf("Stochastic depth is ahead after %s epochs, not after %s", say.Enumerate(ahead), say.Enumerate(others))
}

// ClearGaps says which differences are clear: those whose confidence interval leaves out zero.
func ClearGaps(gaps []Gap) string {
	var clear []string
	known := false
	for _, g := range gaps {
		known = known || !math.IsNaN(g.Margin())
		if math.Abs(g.Difference) > g.Margin() {
			clear = append(clear, fmt.Sprint(g.Epochs))
		}
	}
	switch {
	case !known:
		return "One seed each: there is no interval."
	case len(clear) == 0:
		return "No interval leaves out zero (p < 0.05)."
	}
	return fmt.Sprintf("It leaves out zero (p < 0.05) after %s epochs.", say.Enumerate(clear))
}
