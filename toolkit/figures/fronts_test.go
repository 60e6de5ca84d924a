package figures

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/plotter"

	"stochdepth/toolkit/runs/pruned"
	"stochdepth/toolkit/runs/recipes"
)

// Seeds are averaged state by state, the shallower networks stand at the work of the pruned ones, and each data set has a panel.
func TestFronts(t *testing.T) {
	seed := int64(0)
	record := func(layers int, deathRate float64, testErrors ...float64) *pruned.Record {
		recipe, err := recipes.Preset("shapes")
		require.NoError(t, err)
		seed++
		recipe.Depth, recipe.DeathRate, recipe.Seed = layers, deathRate, seed
		r := &pruned.Record{Network: "n", Recipe: recipe, Order: "greedy", Test: 2000}
		for i, e := range testErrors {
			kept := []int{1, 2, 3, 4}[:len(testErrors)-i]
			r.States = append(r.States, pruned.State{Kept: kept, MultiplyAdds: int64(10e6 * len(kept)), TestError: e, AsTrained: e})
		}
		return r
	}
	ys := func(points plotter.XYs) (list []float64) {
		for _, at := range points {
			list = append(list, at.Y)
		}
		return list
	}
	fronts, err := frontsOf([]*pruned.Record{record(20, 0, 10, 20, 90), record(20, 0, 12, 30, 90), record(20, 0.3, 8, 9, 40), record(14, 0, 13, 50),
		record(14, 0, 15, 50)})
	require.NoError(t, err)
	require.Len(t, fronts, 1)
	require.Equal(t, 20, fronts[0].layers)
	require.InDeltaSlice(t, []float64{11, 25, 90}, ys(fronts[0].mean["constant"]), 1e-12)
	require.InDeltaSlice(t, []float64{8, 9, 40}, ys(fronts[0].mean["stochastic"]), 1e-12)
	require.InDelta(t, 30, fronts[0].mean["constant"][0].X, 1e-12)
	require.InDeltaSlice(t, []float64{13, 15}, ys(fronts[0].small["constant"]), 1e-12)
	require.InDelta(t, 20, fronts[0].small["constant"][0].X, 1e-12)

	_, err = Fronts()
	require.EqualError(t, err, "there is no pruned network to draw")
	_, err = Fronts(record(20, 0, 10, 20, 90), record(20, 0, 12, 30))
	require.EqualError(t, err, "n was pruned to other numbers of blocks than the other seeds: prune them alike")

	a, b := record(20, 0.3, 10, 20), record(20, 0.3, 11, 21)
	b.Order = "depth"
	_, err = Fronts(a, b)
	require.ErrorContains(t, err, "were pruned in another order")
	_, err = Fronts(a, a)
	require.ErrorContains(t, err, "are one network")
	_, err = Fronts(a, record(20, 0.5, 11, 21))
	require.ErrorContains(t, err, "a curve is the mean over seeds")
}
