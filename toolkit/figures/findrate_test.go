package figures_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/outcome"
)

// The figure of a search has a curve for each of the longest four lengths, with its spread over seeds.
func TestNumbersOfFindRate(t *testing.T) {
	point := func(survival float64, values ...float64) outcome.SurvivalError {
		return outcome.SurvivalError{Survival: survival, Error: outcome.Average(values...)}
	}
	rounds := []figures.RateRound{{Epochs: 60, Errors: []outcome.SurvivalError{point(0.7, 14, 16), point(1, 18, 20)}},
		{Epochs: 30, Errors: []outcome.SurvivalError{point(0.9, 22), point(1, 21)}}}
	figure, err := figures.FindRate(figures.Recorded("Made up."), "p_L = 0.7", 0.7, 0.6, 0.8, rounds...)
	require.NoError(t, err)
	found := map[string][]float64{}
	for _, n := range figure.Numbers() {
		found[n.Series] = append(found[n.Series], n.X, n.Y)
		if n.Series == "60 epochs" && n.X == 0.7 {
			require.InDelta(t, 15-1.4142, n.Lower, 1e-3)
		}
	}
	require.Equal(t, map[string][]float64{"60 epochs": {0.7, 15, 1, 19}, "30 epochs": {0.9, 22, 1, 21}}, found)
	_, err = figures.FindRate(figures.Recorded(""), "x", 0.7, 0.6, 0.8)
	require.EqualError(t, err, "nothing has been trained yet, so there is nothing to draw")
	many := append(rounds, figures.RateRound{Epochs: 15, Errors: rounds[1].Errors}, figures.RateRound{Epochs: 7, Errors: rounds[1].Errors},
		figures.RateRound{Epochs: 3, Errors: rounds[1].Errors})
	figure, err = figures.FindRate(figures.Recorded(""), "x", 0.7, 0.6, 0.8, many...)
	require.NoError(t, err)
	require.Len(t, figure.Numbers(), 8)
}
