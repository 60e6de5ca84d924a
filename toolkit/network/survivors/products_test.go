package survivors_test

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/survivors/byhand"
)

// TestContractWithRoundedProducts compares a program whose name asks for factors in bfloat16 with the textbook form in
// float64. The bounds are wide, since outputs with errors of a few thousandths change the signs of as many ReLU inputs, and
// each change moves its gradient as a whole; a textbook form of rounded factors is no nearer, because a factor between two
// numbers of bfloat16 may become the other one. Package kernels compares each convolution within the rounding of float32.
func TestContractWithRoundedProducts(t *testing.T) {
	b := backendtest.Open(t)
	if proxy.Processor(b.(*xla.Backend).PluginName()) == "" {
		t.Skip("there are no kernels here")
	}
	const size = 17
	n := network(t, 8, dtypes.Float32)
	open := map[string]depth.Gates{"all open": depth.AllOpen(3)}
	want := textbookOutcomes(t, b, n, size, 1, open, gatesOf)["all open"]
	store, replaced := model.NewStore(), proxy.Replaced()
	require.NoError(t, n.Initialize(store, 7))
	images, labels := batchOf(n, size, 1)
	got := stepNamed(b, store, n, byhand.Form{}, proxy.BF16Products)(images, gatesOf(n, open["all open"]), labels)
	requireReplaced(t, b, n, replaced)
	require.Len(t, got, len(want))
	least, most := 1.0, 0.0
	for key, w := range want {
		if length := norm(w, nil); length > 0 {
			d := norm(got[key], w) / length
			require.Less(t, d, 0.3, key)
			least, most = min(least, d), max(most, d)
		}
	}
	t.Logf("differences are %.1e to %.1e of the lengths", least, most)
	require.Greater(t, difference(want["loss"], got["loss"]), 1e-6, "float32's own factors")
	require.Less(t, difference(want["loss"], got["loss"]), 1e-2)
}
