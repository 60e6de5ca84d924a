package network

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/network/backend/backendtest"
)

// A folder of pictures gives the network its classes and images, as large as a folder's images are, and interrupted packing is
// begun anew.
func TestOpenFolder(t *testing.T) {
	b, r := backendtest.Open(t), tiny(t)
	root, dir := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module "+project.Module+"\n"), 0o644))
	t.Setenv(project.EnvRoot, root)
	for class := range 3 {
		require.NoError(t, os.Mkdir(filepath.Join(dir, fmt.Sprint(class)), 0o755))
		for i := range 20 {
			picture := image.NewGray(image.Rect(0, 0, 20, 30))
			for p := range picture.Pix {
				picture.Pix[p] = byte(20*class + i)
			}
			var data bytes.Buffer
			require.NoError(t, png.Encode(&data, picture))
			require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(class), fmt.Sprint(i)+".png"), data.Bytes(), 0o644))
		}
	}
	r.Dataset, r.TrainImages, r.ValidationImages, r.TestImages, r.BatchSize = "folder:greys", 0, 0, 0, 8
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := PrepareData(ctx, r, dir)
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
