package depth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
)

func TestOwnRule(t *testing.T) {
	rule := func(p ...float64) func(int, float64) depth.Survival {
		return func(int, float64) depth.Survival { return p }
	}
	require.NoError(t, depth.RegisterRule("own-rule", rule(1, 0.5, 0.25)))
	p, err := depth.ByRule("own-rule", []int{1, 2}, 0.5, nil)
	require.NoError(t, err)
	require.Equal(t, depth.Survival{1, 0.5, 0.25}, p)
	p, err = depth.ByRule("own-rule", []int{1, 2}, 0, nil)
	require.NoError(t, err)
	require.Equal(t, depth.Constant(3), p)
	require.Contains(t, depth.OwnRules(), "own-rule")

	_, err = depth.ByRule("own-rule", []int{4}, 0.5, nil)
	require.EqualError(t, err, `the rule "own-rule" gives 3 survival probabilities to 4 blocks: give one to each`)
	require.NoError(t, depth.RegisterRule("own-rule", rule(1, 0, 1)), "an edited rule takes the place of the old one")
	_, err = depth.ByRule("own-rule", []int{3}, 0.5, nil)
	require.ErrorContains(t, err, "block 2 is 0: it must be in (0, 1]")
	require.EqualError(t, depth.RegisterRule("linear", rule()), `the name "linear" for a rule is taken: give yours another name`)
	require.ErrorContains(t, depth.RegisterRule("My rule", rule()), "small letters, digits and hyphens")
}

func TestOwnSchedule(t *testing.T) {
	require.NoError(t, depth.RegisterSchedule("own-schedule", func(at float64) float64 { return at * at }))
	s := depth.Schedule{Kind: "own-schedule", Fraction: 0.5}
	require.Equal(t, depth.Survival{1 - 0.5*0.0625, 1}, s.At(depth.Survival{0.5, 1}, 25, 100))
	require.InDelta(t, 9-2.5/3, s.ExpectedOpen(depth.Linear(9, 0.5)), 1e-6, "the mean of the square is a third")

	require.EqualError(t, depth.RegisterSchedule("own-schedule", func(at float64) float64 { return 2 * at }),
		`the schedule "own-schedule" is 1.002 at 0.501 of the training: it multiplies death rates, so keep it in [0, 1]`)
	require.ErrorContains(t, depth.RegisterSchedule("ramp", func(float64) float64 { return 1 }), "is taken")
}
