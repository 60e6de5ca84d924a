package findrate

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
)

// records are the runs that are recorded: not those that a reader's notebooks made.
func records(t *testing.T) []*runs.Run {
	t.Helper()
	list, err := runs.List("../../../data/runs")
	require.NoError(t, err)
	return slices.DeleteFunc(list, func(run *runs.Run) bool { return runs.OfNotebook(run.Name) })
}

// The model in the program is the one that the records give; a few more records change it little.
func TestRecordedModel(t *testing.T) {
	m, err := Fit(records(t))
	require.NoError(t, err)
	t.Logf("%+v", m)
	require.InEpsilon(t, m.Epochs, Recorded.Epochs, 0.1)
	require.InEpsilon(t, m.Open, Recorded.Open, 0.1)
	require.InEpsilon(t, m.Residual, Recorded.Residual, 0.3)
	require.InDelta(t, m.Best, Recorded.Best, 0.15)
	require.InEpsilon(t, m.Spread, Recorded.Spread, 0.3)
	_, err = Fit(nil)
	require.ErrorContains(t, err, "are too few to fit a model to")
}

// Each replayed search keeps to a third of its sweep's time, most find the best p_L or the one beside it, and those that do not
// lose little.
func TestReplay(t *testing.T) {
	cases, err := Replay(records(t))
	require.NoError(t, err)
	var table strings.Builder
	require.NoError(t, WriteCases(&table, "table", cases))
	t.Log("\n" + table.String() + Summary(cases))
	require.GreaterOrEqual(t, len(cases), 10)
	near := 0
	for _, c := range cases {
		require.LessOrEqual(t, c.Part, budgetPart)
		require.GreaterOrEqual(t, c.Lost, 0.)
		if steps := min(1, len(c.Survivals)-2); c.Steps <= steps {
			near++
		}
	}
	require.GreaterOrEqual(t, float64(near), 0.8*float64(len(cases)))
}
