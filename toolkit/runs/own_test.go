package runs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs/recipes"
)

// What a program registers may stand in its recipes; elsewhere the refusal says why. A run's name for it is kept either way, so
// that two schedules are never taken for one.
func TestOwn(t *testing.T) {
	r, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	require.Empty(t, r.Own())
	r.Rule, r.RateSchedule = "recipes-rule", "recipes-rate"
	require.Equal(t, []string{"rule recipes-rule", "schedule recipes-rate"}, r.Own())
	require.ErrorContains(t, r.Validate(), `rule "recipes-rule" is unknown: use linear`)
	require.ErrorContains(t, r.Validate(), "list, or one of your own in the program that registers it")
	require.Equal(t, "recipes-rate", r.Canonical().RateSchedule)
	require.False(t, recipes.SameSetting(r, func() recipes.Recipe { other := r; other.RateSchedule = ""; return other }()))

	require.NoError(t, depth.RegisterRule("recipes-rule", depth.Uniform))
	require.NoError(t, recipes.RegisterRate("recipes-rate", func(at float64) float64 { return 1 - at }))
	require.NoError(t, r.Validate())
	require.Contains(t, recipes.Choices("rule"), "recipes-rule")
	require.Equal(t, 0.25, r.RateFactor()(0.75))
	require.Empty(t, r.RateDrops())
	require.Contains(t, r.Training(), ", by the schedule recipes-rate, weight decay")
	require.ErrorContains(t, r.Set(recipes.Budget, "0.75"), "for the project's own rules, not for recipes-rule")

	require.ErrorContains(t, recipes.RegisterRate("recipes-rate", func(at float64) float64 { return 0.5 - at }), "at 0.501 of the training: it multiplies the rate, so keep it 0 or more")
	require.ErrorContains(t, recipes.RegisterRate("cosine", func(float64) float64 { return 1 }), "is taken")
}
