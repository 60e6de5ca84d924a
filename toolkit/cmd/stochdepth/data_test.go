package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Data sets that are there, or need no download, are not said to be downloaded.
func TestDataGetOfWhatIsThere(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "cifar-10-batches-bin")
	require.NoError(t, os.Mkdir(dir, 0o755))
	for _, name := range []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
		"test_batch.bin"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
		require.NoError(t, os.Truncate(filepath.Join(dir, name), 10_000*3073)) // sparse
	}
	for name, want := range map[string]string{
		"cifar10": "cifar10 is there already; `stochdepth data verify cifar10` checks its files\n",
		"shapes":  "shapes are drawn when they are needed: there is nothing to download\n",
	} {
		out, err := call(t, "data", "get", name, "--data-root", root)
		require.NoError(t, err)
		require.Equal(t, want, out)
	}
}
