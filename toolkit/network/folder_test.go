package network

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/dataset/pictures/picturestest"
	"stochdepth/toolkit/internal/project/projecttest"
	"stochdepth/toolkit/network/backend/backendtest"
)

// A folder of pictures gives the network its classes and images, as large as a folder's images are, and interrupted packing is
// begun anew.
func TestOpenFolder(t *testing.T) {
	b, r := backendtest.Open(t), tiny(t)
	projecttest.Empty(t)
	dir := t.TempDir()
	for class := range 3 {
		for i := range 20 {
			path := filepath.Join(dir, fmt.Sprint(class), fmt.Sprint(i)+".png")
			picturestest.WriteGrey(t, path, 20, 30, func(int) byte { return byte(20*class + i) })
		}
	}
	r.Dataset, r.TrainImages, r.ValidationImages, r.TestImages, r.BatchSize = "folder:greys", 0, 0, 0, 8
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := OpenContext(ctx, b, r, dir)
	require.ErrorIs(t, err, context.Canceled)

	net, err := Open(b, r, dir)
	require.NoError(t, err)
	require.Equal(t, dataset.Format{Height: 64, Width: 64, Channels: 3}, net.Network.Image)
	require.Equal(t, 3, net.Network.Classes)
	require.Equal(t, []int{48, 6, 6}, []int{net.Data.Train.Len(), net.Data.Validation.Len(), net.Data.Test.Len()})
	batch := net.Batches().At(0)
	for i, label := range batch.Labels {
		require.EqualValues(t, label, batch.Pixels[i*batch.Format.Bytes()]/20)
	}
}
