package pictures

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each image knows its file, also behind one that cannot be read, and when the pack is opened again.
func TestFilesOfImages(t *testing.T) {
	dir := greys(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "train", "b", "07.png"), []byte("no picture"), 0o644))
	o := Options{Settings: small, Cache: t.TempDir(), SkipDamaged: true}
	for range 2 {
		p, err := open(t, dir, o)
		require.NoError(t, err)
		require.Len(t, p.Parts[0].Files, 69)
		require.Equal(t, "train/a/39.png", p.Parts[0].Files[39])
		require.Equal(t, []string{"train/b/06.png", "train/b/08.png"}, p.Parts[0].Files[46:48])
		require.Equal(t, []byte{47, 49}, shades(p, 0)[46:48])
		require.Equal(t, []string{"val/a/00.png", "val/a/01.png", "val/a/02.png", "val/b/00.png", "val/b/01.png"}, p.Parts[1].Files)
		require.Equal(t, []byte{71, 72, 73, 74, 75}, shades(p, 1))
	}
}
