package byhand

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
)

// Nearly constant channels have a variance that rounds to something near 0, but never below: its root with epsilon is taken.
// XLA's own operation gives some of them one below -epsilon.
func TestVariancesAreNotNegative(t *testing.T) {
	const images, side, channels = 8, 4, 200
	var values []float32
	for pixel := range images * side * side {
		for channel := range channels {
			values = append(values, float32(channel)/2+0.1+float32(pixel%2)/1000)
		}
	}
	x := tensors.FromFlatDataAndDimensions(values, images, side, side, channels)
	for name, by := range map[string]sums{"pixel": sumsByPixel{}, "row": sumsByRow{}, "product": sumsByProduct{}} {
		variances := MustExecOnce(backendtest.Open(t), func(x *Node) *Node {
			_, variance := by.moments(x)
			return variance
		}, x)
		for channel, variance := range tensors.MustCopyFlatData[float32](variances) {
			require.GreaterOrEqual(t, variance, float32(0), "by %s, channel %d", name, channel)
		}
	}
}
