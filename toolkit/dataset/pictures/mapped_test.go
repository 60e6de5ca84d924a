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

// Names of folders and files may be any bytes; damaged files are found by them, and messages show them on one line.
func TestNamesThatAreNoText(t *testing.T) {
	files := map[string]string{}
	for class, name := range []string{"\xfe", "\xff", "a\nb"} {
		for i, file := range []string{"\xfd", "\xfe", "\xff"} {
			files["train/"+name+"/"+file+".png"] = plain(t, 10*class+i)
		}
	}
	files["train/\xff/\xfe.png"], files["train/a\nb/\xfd.png"] = "none", files["train/\xfe/\xfd.png"]
	dir, o := folderOf(t, files), Options{Settings: small, Cache: t.TempDir()}
	_, err := open(t, dir, o)
	require.EqualError(t, err, dir+`: 1 file cannot be read: "train/\xff/\xfe.png" is no JPEG or PNG; `+
		"replace or remove it, or pass over it with --skip-damaged")
	require.ErrorAs(t, err, &ErrDamaged{})
	o.SkipDamaged = true
	for range 2 {
		p, err := open(t, dir, o)
		require.NoError(t, err)
		require.Equal(t, []string{"a\nb", "\xfe", "\xff"}, p.Classes)
		require.Equal(t, []string{"train/\xff/\xfd.png", "train/\xff/\xff.png"}, p.Parts[0].Files[6:])
		require.Equal(t, []byte{10, 12}, shades(p, 0)[6:])
		require.Equal(t, []string{
			`1 picture of training is there twice, such as "train/a\nb/\xfd.png" and "train/\xfe/\xfd.png", and may come into two parts`,
			`1 file that cannot be read is passed over: "train/\xff/\xfe.png" is no JPEG or PNG`}, p.Notes)
	}
}
