package worker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/runs/recipes"
)

// The minibatches for closed blocks have no open block under any schedule, and those for open blocks have all open.
func TestExtremes(t *testing.T) {
	r, err := recipes.Preset("shapes")
	require.NoError(t, err)
	r.Depth, r.DeathRate, r.Epochs, r.BatchSize, r.TrainImages, r.ValidationImages, r.TestImages = 8, 0.5, 2, 16, 40, 20, 30
	b := backendtest.Open(t)
	for _, r.GatesPer = range []string{"minibatch", "sample"} {
		for _, r.SurvivalSchedule = range depth.ScheduleKinds() {
			net, err := network.Open(b, r, "")
			require.NoError(t, err)
			open, closed := extremes(net)
			for step := range int64(probeSteps) {
				require.InDelta(t, 3, open.At(step).Open, 1e-9, r.SurvivalSchedule)
				require.Zero(t, closed.At(step).Open, r.SurvivalSchedule)
			}
		}
	}
	r.GatesPer, r.SurvivalSchedule = "subbatch", string(depth.Steady)
	net, err := network.Open(b, r, "")
	require.NoError(t, err)
	open, closed := extremes(net)
	require.Equal(t, open.At(0), closed.At(0), "every step computes as much")
}
