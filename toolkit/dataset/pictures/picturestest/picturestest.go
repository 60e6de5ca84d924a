// Package picturestest writes pictures for tests.
package picturestest

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// WriteGrey writes a PNG of width x height pixels, each with the grey that at gives for its number, and makes its folder.
func WriteGrey(t testing.TB, path string, width, height int, at func(pixel int) byte) {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, width, height))
	for i := range picture.Pix {
		picture.Pix[i] = at(i)
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	file, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, png.Encode(file, picture))
	require.NoError(t, file.Close())
}
