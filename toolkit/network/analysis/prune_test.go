package analysis_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/analysis"
	"stochdepth/toolkit/runs/recipes"
)

// Each order removes what it says, the scores are those of the network without these blocks, and the network is as before.
func TestPrune(t *testing.T) {
	m, data := untrained(t, func(r *recipes.Recipe) { r.Depth, r.DeathRate = 20, 0.5 })
	o := &network.Opened{Model: m, Data: data}
	before := evaluate(t, m, data)
	kept := func(order string) (all [][]int) {
		calls := 0
		list, err := analysis.Prune(t.Context(), o, analysis.PruneOptions{Order: order, Choose: 20, Done: func(done, total int) {
			calls++
			require.Equal(t, []int{calls, 7}, []int{done, total})
		}})
		require.NoError(t, err)
		require.Equal(t, 7, calls)
		for i, one := range list {
			all = append(all, one.Kept)
			require.Len(t, one.Kept, 9-i)
			if i > 0 {
				require.Less(t, one.MultiplyAdds, list[i-1].MultiplyAdds)
			}
		}
		require.Equal(t, m.Network.Size().MultiplyAdds, list[0].MultiplyAdds)
		require.Equal(t, before, list[0].AsTrained.Test)
		putBack, err := analysis.Remove(m, 5, 6, 8, 9) // removed in the fifth network by depth
		require.NoError(t, err)
		if order == analysis.Deepest {
			require.Equal(t, evaluate(t, m, data), list[4].AsTrained.Test)
			require.NotEqual(t, list[4].AsTrained, list[4].Remeasured)
		}
		require.NoError(t, putBack())
		require.Equal(t, before, evaluate(t, m, data), "the network is as before")
		return all
	}
	deepest := kept(analysis.Deepest)
	require.Equal(t, [][]int{{1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 3, 4, 5, 6, 7}, {1, 2, 3, 4, 5, 7},
		{1, 2, 3, 4, 7}, {1, 2, 4, 7}, {1, 4, 7}}, deepest, "4 and 7 change the shape, 1 is the last of its group")
	require.Equal(t, deepest, kept(analysis.LeastSurvival), "under the linear rule")
	even := kept(analysis.EveryOther)
	require.Equal(t, []int{1, 2, 4, 5, 7, 8}, even[3])
	require.Equal(t, []int{1, 4, 7}, even[6])

	greedy := kept(analysis.Greedy)
	best, lowest := 0, 0.0
	for _, block := range []int{1, 2, 3, 5, 6, 8, 9} {
		putBack, err := analysis.Remove(m, block)
		require.NoError(t, err)
		score, err := m.Evaluate(t.Context(), data.Validation.First(20))
		require.NoError(t, err)
		if best == 0 || score.Loss < lowest {
			best, lowest = block, score.Loss
		}
		require.NoError(t, putBack())
	}
	require.NotContains(t, greedy[1], best)

	_, err := analysis.Prune(t.Context(), o, analysis.PruneOptions{Order: "luck"})
	require.EqualError(t, err, `unknown order "luck": use greedy, depth, every-other, survival`)
}
