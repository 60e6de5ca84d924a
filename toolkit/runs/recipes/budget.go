package recipes

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"stochdepth/toolkit/depth"
)

// Budget is a key that chooses another: `budget=0.75` sets the death rate with which three quarters of the blocks are expected
// to be open, averaged over the whole training. So schedules and rules can be compared at equal work. Whoever sets several keys
// sets this one last (see [Order]), since rule, schedule and depth decide what it sets.
const Budget = "budget"

// setBudget sets the death rate of a budget.
func (r *Recipe) setBudget(value string) error {
	budget, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return fmt.Errorf("%s must be %s, not %q", Budget, "a number", value)
	}
	if !(budget > 0 && budget <= 1) {
		return fmt.Errorf("%s is %v: it must be in (0, 1], the expected share of open blocks over the whole training", Budget, budget)
	}
	if r.Rule == "list" {
		return fmt.Errorf("%s chooses a death rate, which the rule list does not have: take another rule", Budget)
	}
	if slices.Contains(depth.OwnRules(), r.Rule) {
		return fmt.Errorf("%s chooses a death rate for the project's own rules, not for %s: set death_rate", Budget, r.Rule)
	}
	// The expected number of closed blocks is proportional to the death rate.
	const probe = 0.5
	groups, err := r.Groups()
	if err != nil {
		return err
	}
	survival, err := depth.ByRule(r.Rule, groups, probe, nil)
	if err != nil {
		return err
	}
	closed := 1 - r.Schedule().ExpectedOpen(survival)/float64(len(survival))
	rate := math.Round((1-budget)*probe/closed*1e9) / 1e9
	if closed <= 0 || !(rate < 1) {
		return fmt.Errorf("%s %v is out of reach: with the rule %s and the schedule %s more than %.3g of the blocks are open, whatever "+
			"the death rate", Budget, budget, r.Rule, r.SurvivalSchedule, 1-closed/probe)
	}
	r.DeathRate = rate
	return nil
}

// Compatible says in one sentence which of the keys that somebody sets, in any order and spelled as for Set, exclude each other,
// or returns nil.
func Compatible(keys []string) error {
	has := func(key string) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return spelled(k) == key })
	}
	if has(Budget) && has("death_rate") {
		return fmt.Errorf("%s and death_rate both say how many blocks close: leave one of them out", Budget)
	}
	return nil
}
