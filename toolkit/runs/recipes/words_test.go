package recipes

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHowBlocksCloseInWords(t *testing.T) {
	for want, change := range map[[3]string]func(*Recipe){
		{"linear", "linear-0.1", "linear, p_L = 0.1"}:                    func(r *Recipe) { r.DeathRate = 0.9 },
		{"uniform", "uniform-0.5", "uniform, p_L = 0.5, early schedule"}: func(r *Recipe) { r.Rule, r.SurvivalSchedule = "uniform", "early" },
		{"linear-short", "linear-short-0.8", "linear-short, p_L = 0.8125"}: func(r *Recipe) {
			r.Block, r.Depth, r.Rule, r.DeathRate = "transformer", 16, "linear-short", 0.2
		},
		{"constant", "constant", "constant"}: func(r *Recipe) { r.DeathRate, r.SurvivalSchedule = 0, "early" },
		{"list", "list", "own survival probabilities, gates per sample, scaled in training"}: func(r *Recipe) {
			r.Rule, r.SurvivalProbabilities, r.GatesPer, r.ScaleAt = "list", []float64{1, 0.5}, "sample", "train"
		},
	} {
		r := Default()
		r.DeathRate = 0.5
		change(&r)
		require.Equal(t, want, [3]string{r.RuleName(), r.DepthName(), r.Closing()})
	}
}
