package network_test

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/runs/recipes"
)

// mistaken adds what has other axes.
type mistaken struct{ resnet.Basic }

func (m mistaken) Branch(b *residual.Branch, x *Node) *Node {
	f := m.Basic.Branch(b, x)
	return Add(f, ReduceMean(f, 1, 2))
}

// A mistake in a block is told with the block, its method and the line, in either form, and without the functions around it.
func TestMistakeInABlock(t *testing.T) {
	require.NoError(t, resnet.Register("mistaken", func(s resnet.Shape) residual.Block { return mistaken{resnet.Basic{Shape: s}} }))
	r, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	r.Block, r.Depth, r.TrainImages, r.ValidationImages, r.TestImages, r.BatchSize = "mistaken", 8, 16, 16, 16, 8
	for _, r.Form = range []string{"resnet", "survivors"} {
		net, err := network.Open(backendtest.Open(t), r, "")
		require.NoError(t, err)
		require.NoError(t, net.Prepare(1))
		_, err = net.Step(net.Batches().At(0))
		require.Error(t, err)
		require.Regexp(t, `^the training step failed: block mistaken, Branch at .*/network/mistake_test\.go:21: .*rank`, err.Error())
		require.NotContains(t, err.Error(), "graphFn")
		require.NotContains(t, err.Error(), "\n")
	}
}
