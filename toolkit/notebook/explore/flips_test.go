package explore

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/analysis"
)

// The pictures have the classes that the network without the blocks predicts, and afterwards the network is whole again.
func TestFlips(t *testing.T) {
	net := untrained(t, 0.5)
	images := net.Data.Test.First(16)
	whole, err := analysis.Classify(t.Context(), net.Model, images)
	require.NoError(t, err)
	putBack, err := analysis.Remove(net.Model, 1, 2, 3)
	require.NoError(t, err)
	without, err := analysis.Classify(t.Context(), net.Model, images)
	require.NoError(t, err)
	require.NoError(t, putBack())
	changed := 0
	for i := range whole {
		if whole[i].Predicted != without[i].Predicted {
			changed++
		}
	}
	require.Positive(t, changed, "the blocks matter to this network")

	figure, err := Flips(t.Context(), net, 16, 3, 1, 2)
	require.NoError(t, err)
	svg, err := figure.Bytes("svg")
	require.NoError(t, err)
	require.Equal(t, changed, strings.Count(string(svg), " → "))
	require.Contains(t, string(svg), "Without blocks 1, 2 and 3: ")
	again, err := analysis.Classify(t.Context(), net.Model, images)
	require.NoError(t, err)
	require.Equal(t, whole, again)

	_, err = Flips(t.Context(), net, 16, 4)
	require.ErrorContains(t, err, "there is no block 4")
}
