package recipes

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
)

// Under each rule and schedule a budget gives the death rate with which that share of the blocks is open over the whole
// training; the paper's own three quarters are nearly those of p_L = 0.5.
func TestBudget(t *testing.T) {
	for _, rule := range slices.DeleteFunc(depth.Rules(), func(rule string) bool { return rule == "list" || rule == "step" }) {
		budget := 0.9
		if rule == "square" { // which leaves more blocks open when they fall open too
			budget = 0.95
		}
		for _, schedule := range Choices("survival_schedule") {
			r, err := Preset("cifar10")
			require.NoError(t, err)
			for _, set := range [][2]string{{"rule", rule}, {"survival_schedule", schedule}, {"schedule_fraction", "0.5"}, {"budget", fmt.Sprint(budget)}} {
				require.NoError(t, r.Set(set[0], set[1]))
			}
			require.NoError(t, r.Validate())
			open, blocks := r.ExpectedOpen()
			require.InDelta(t, budget, open/float64(blocks), 1e-8, "%s, %s", rule, schedule)
		}
	}
	r, err := Parse([]byte(`{"budget": 0.75, "dataset": "cifar10", "depth": 110, "epochs": 1}`))
	require.NoError(t, err)
	require.InDelta(t, 54*0.25*2/55, r.DeathRate, 1e-9, "E(L~) = L - (1 - p_L)(L + 1)/2")
	whole, err := Parse([]byte(`{"budget": 1, "dataset": "cifar10", "depth": 110, "epochs": 1}`))
	require.NoError(t, err)
	require.True(t, whole.IsConstant())

	for text, want := range map[string]string{
		`{"budget": 0.75, "death_rate": 0.5, "depth": 20}`:          "budget and death_rate both say how many blocks close",
		`{"budget": 0, "depth": 20}`:                                "budget is 0: it must be in (0, 1]",
		`{"budget": "x", "depth": 20}`:                              `budget must be a number, not "\"x\""`,
		`{"budget": 0.3, "depth": 20}`:                              "with the rule linear and the schedule constant more than 0.444 of the blocks are open",
		`{"budget": 0.7, "depth": 20, "survival_schedule": "fall"}`: "more than 0.861 of the blocks are open, whatever the death rate",
		`{"budget": 0.7, "depth": 8, "rule": "list"}`:               "budget chooses a death rate, which the rule list does not have",
		`{"budget": 0.7, "depth": 21}`:                              "depth 21 is not 6N+2 layers",
	} {
		_, err := Parse([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
}

// A budget is set after all that decides what it sets, a network before all.
func TestOrder(t *testing.T) {
	require.Negative(t, Order("network", "depth"))
	require.Negative(t, Order("depth", "budget"))
	require.Positive(t, Order("budget", "network"))
	require.Zero(t, Order("depth", "rule"))
}
