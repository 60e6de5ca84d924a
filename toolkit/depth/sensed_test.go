package depth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
)

// With sensitivities 8, 4, 2 and 1 and a budget of a half, a = 2/15 gives 16/15: the first is cut to 1, and the others share one
// in proportion. A block of none keeps 0.05.
func TestSensed(t *testing.T) {
	p, err := depth.Sensed([]float64{8, 4, 2, 1}, 0.5)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{1, 4. / 7, 2. / 7, 1. / 7}, []float64(p), 1e-4)
	p, err = depth.Sensed([]float64{1, 0, -3, 1}, 0.5)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{0.95, 0.05, 0.05, 0.95}, []float64(p), 1e-4)
	p, err = depth.Sensed([]float64{2, 1}, 1)
	require.NoError(t, err)
	require.Equal(t, depth.Constant(2), p)

	_, err = depth.Sensed([]float64{1, 0, 0, 0}, 0.5)
	require.EqualError(t, err, "budget 0.5 is out of reach: 3 of 4 blocks do not lower the loss, and get 0.05 each")
	_, err = depth.Sensed([]float64{-1, 0}, 0.5)
	require.ErrorContains(t, err, "no block lowers the loss")
	_, err = depth.Sensed([]float64{1}, 1.5)
	require.ErrorContains(t, err, "outside [0.05, 1]")
}
