package resnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
)

// Every kind that package depth names exists, and its stages have as many blocks as depth counts. Registered kinds come
// after these; they may be registered again, but not under the name of one of these.
func TestKinds(t *testing.T) {
	require.Equal(t, depth.Named(), resnet.Blocks())
	for kind, size := range map[string]struct{ layers, blocks int }{
		depth.Basic: {20, 9}, depth.Preactivation: {20, 9}, depth.Bottleneck: {29, 9}, depth.Transformer: {4, 4},
	} {
		blocks, err := depth.BlocksOf(kind, size.layers)
		require.NoError(t, err)
		require.Equal(t, size.blocks, blocks, kind)
		n, err := resnet.New(kind, size.layers, rgb, 10, depth.Linear(blocks, 0.5))
		require.NoError(t, err)
		counted := 0
		for _, s := range n.Stages() {
			require.Equal(t, counted, s.First)
			counted += s.Count
		}
		require.Equal(t, blocks, counted, kind)
		require.ErrorContains(t, resnet.Register(kind, nil), "is taken")
	}
	for range 2 {
		require.NoError(t, resnet.Register("aaa", func(s resnet.Shape) residual.Block { return resnet.Basic{Shape: s} }))
	}
	require.Equal(t, append(depth.Named(), "aaa"), resnet.Blocks())
	_, err := resnet.New("bbb", 20, rgb, 10, depth.Linear(9, 0.5))
	require.EqualError(t, err, `no block "bbb" is known here: there are basic, preactivation, bottleneck, transformer, aaa, `+
		`and a program may register its own`)
}
