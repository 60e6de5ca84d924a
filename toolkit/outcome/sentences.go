package outcome

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Headline states in numbers what came out, in favour of stochastic depth or not.
func (c Comparison) Headline() string {
	digits := c.Digits()
	constant, stochastic := c.Constant.Percent(digits), c.Stochastic.Percent(digits)
	s := "Stochastic depth: "
	if c.SoFar() != "" {
		s = "Stochastic depth so far: "
	}
	switch rounded := func(e Estimate) string { return fmt.Sprintf("%.*f", digits, e.Mean) }; {
	case constant == stochastic:
		s += fmt.Sprintf("the same %s, %s", c.Quantity.Name, constant)
	case rounded(c.Constant) == rounded(c.Stochastic):
		s += fmt.Sprintf("the same mean %s, %s and %s", c.Quantity.Name, stochastic, constant)
	case c.Difference > 0:
		s += fmt.Sprintf("higher %s, %s instead of %s", c.Quantity.Name, stochastic, constant)
	default:
		s += fmt.Sprintf("%s %s instead of %s", c.Quantity.Name, stochastic, constant)
	}
	if math.IsNaN(c.TimeSaved) {
		return s
	}
	time := "in the same training time"
	switch percent := math.Round(c.TimeSaved * 100); {
	case percent > 0:
		time = fmt.Sprintf("in %.0f %% less training time", percent)
	case percent < 0:
		time = fmt.Sprintf("in %.0f %% more training time", -percent)
	}
	return s + ", " + strings.ReplaceAll(time, " ", "\u00a0") // a line break comes before it, if anywhere
}

// InSeeds says in how many seeds stochastic depth is ahead, and by how much; it is empty for one run each.
func (c Comparison) InSeeds() string {
	if c.Single() {
		return ""
	}
	a, b := len(c.ConstantRuns), len(c.StochasticRuns)
	s := fmt.Sprintf("%d run%s of constant and %d of stochastic depth, with different seeds: difference", a, say.Plural(a), b)
	if c.Pairs > 0 {
		s = fmt.Sprintf("Lower error in %d of %d seeds: paired difference", c.Wins, c.Pairs)
	}
	digits := c.Digits()
	s += " " + Signed(c.Difference, digits) + " points"
	if low, high := c.Interval(); !math.IsNaN(low) {
		s += fmt.Sprintf(", 95 %% interval %s to %s (Student's t)", Signed(low, digits), Signed(high, digits))
	}
	return s + "."
}

// Beside says how recorded runs compare with a reader's own pair: with which seeds they came out how, or that they have
// another recipe.
func (c Comparison) Beside(recorded Comparison) string {
	var differences []string
	own := [][]*runs.Run{c.ConstantRuns, c.StochasticRuns}
	for i, group := range [][]*runs.Run{recorded.ConstantRuns, recorded.StochasticRuns} {
		for _, d := range recipes.Differences(own[i][0].Recipe.Canonical(), group[0].Recipe.Canonical()) {
			if key, _, _ := strings.Cut(d, ":"); key != "seed" && !slices.Contains(differences, key) {
				differences = append(differences, key)
			}
		}
	}
	if len(differences) > 0 {
		return fmt.Sprintf("The recorded runs have another recipe (different %s): they say nothing about this pair.", many(differences))
	}
	seeds := fmt.Sprintf("%d other seed%s", recorded.N, say.Plural(recorded.N))
	among := func(r *runs.Run) bool {
		return r.Recipe.Seed == own[0][0].Recipe.Seed || r.Recipe.Seed == own[1][0].Recipe.Seed
	}
	if slices.ContainsFunc(slices.Concat(recorded.ConstantRuns, recorded.StochasticRuns), among) {
		seeds = fmt.Sprintf("%d seed%s, including this one", recorded.N, say.Plural(recorded.N))
	}
	digits := recorded.Digits()
	came := fmt.Sprintf("%s instead of %s", recorded.Stochastic.Percent(digits), recorded.Constant.Percent(digits))
	if c.Quantity.Name != TestError.Name {
		came = "test error " + came
	}
	wins := "."
	if recorded.Pairs > 0 {
		wins = fmt.Sprintf(", lower in %d of %d.", recorded.Wins, recorded.Pairs)
	}
	if recorded.Difference*c.Difference < 0 {
		return fmt.Sprintf("This seed came out differently from the recorded mean: %s with %s%s", came, seeds, wins)
	}
	return fmt.Sprintf("Recorded with %s: %s%s", seeds, came, wins)
}
