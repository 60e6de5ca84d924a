package outcome

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
)

// Constant depth has its lowest validation error at step 300, after 30 s; one stochastic run reaches it at step 200, after 16 s,
// the other never does. The other way round both of constant depth's runs lack something, or get there.
func TestReach(t *testing.T) {
	rows := func(seconds float64, validation ...float64) (list []runs.Row) {
		for i, v := range validation {
			row := runs.Unknown()
			row.Epoch, row.Step, row.ValidationError, row.TestError = float64(i+1), int64(100*(i+1)), v, v
			row.Seconds = seconds * float64(i+1)
			list = append(list, row)
		}
		return list
	}
	constant, stochastic := seeded(0, 6, 20, 20), seeded(0.2, 6, 20, 20)
	constant[0].Rows, stochastic[0].Rows = rows(10, 40, 32, 30, 31), rows(8, 41, 30, 29, 25)
	constant[1].Rows, stochastic[1].Rows = rows(10, 40, 32, 30, 31), rows(8, 41, 33, 32, 30.5)
	c, err := Compare(constant, stochastic)
	require.NoError(t, err)
	r := c.Reach()
	require.Equal(t, [2]int{2, 1}, [2]int{r.Pairs, r.Reached})
	require.InDelta(t, 200.0/300, r.Steps.Mean, 1e-9)
	require.InDelta(t, 16.0/30, r.Time.Mean, 1e-9)
	back := c.ReachBack()
	require.Equal(t, [2]int{2, 1}, [2]int{back.Pairs, back.Reached})
	require.InDelta(t, 300.0/400, back.Steps.Mean, 1e-9)
	require.InDelta(t, 30.0/32, back.Time.Mean, 1e-9)

	stochastic[1].Result.Machine = "another"
	c, err = Compare(constant, stochastic)
	require.NoError(t, err)
	require.Zero(t, c.Reach().Time.N)
	require.InDelta(t, 200.0/300, c.Reach().Steps.Mean, 1e-9)
}
