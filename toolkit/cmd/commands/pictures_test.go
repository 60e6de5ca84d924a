package commands

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/dataset/pictures/picturestest"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/internal/project/projecttest"
	"stochdepth/toolkit/network/backend/backendtest"
)

// A folder of pictures is listed, checked and summed up; damaged files are named until the user passes over them.
func TestFolderOfPictures(t *testing.T) {
	projecttest.Empty(t)
	dir := filepath.Join(t.TempDir(), "pets")
	for class, n := range map[string]int{"cat": 20, "dog": 10} {
		for i := range n {
			path := filepath.Join(dir, class, strconv.Itoa(i)+".png")
			picturestest.WriteGrey(t, path, 70+n, 80, func(int) byte { return byte(5*n + i) })
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dog", "x.jpg"), []byte("none"), 0o644))
	says := func(line string) string {
		out, err := call(t, strings.Split(line, " ")...)
		require.NoError(t, err)
		return out
	}
	fails := func(line string) string {
		_, err := call(t, strings.Split(line, " ")...)
		require.Error(t, err)
		return err.Error()
	}

	out := strings.Split(says("data index "+dir), "\n")
	require.Equal(t, []string{"cat", "20", "0.0", "90x80", "90x80"}, strings.Fields(out[1]))
	require.Equal(t, []string{"dog", "11", "0.0", "80x80", "80x80"}, strings.Fields(out[2]))
	require.Equal(t, []string{"", "images: 25 for training, 3 for validation, 3 for test", "cannot be read: dog/x.jpg is no JPEG or PNG",
		"A training stops at these, or passes over them with --skip-damaged; stochdepth data verify folder --data-root DIR " +
			"decodes all pictures, and finds those that are cut short.", ""},
		out[4:])

	const broken = ": 1 file cannot be read: dog/x.jpg is no JPEG or PNG; replace or remove it, or pass over it with --skip-damaged"
	verify := "data verify folder --data-root " + dir
	require.Equal(t, "folder: "+dir+broken, fails(verify))
	passed := "training: 30 pictures, all decoded\n1 file that cannot be read is passed over: dog/x.jpg is no JPEG or PNG\n"
	require.Equal(t, passed, says(verify+" --skip-damaged"))
	require.Equal(t, passed, says(verify), "the word holds")

	require.Contains(t, says("summary --dataset folder:pets --depth 8 --data-root "+dir), "1 an epoch of 25 images")
	require.Equal(t, "folder is your own pictures: there is nothing to download, `stochdepth data index DIR` lists them",
		fails("data get folder"))
	require.Equal(t, "--skip-damaged is about your own pictures: name their folder by --data-root",
		fails("train --dataset folder --skip-damaged"))
	require.Equal(t, `resize "crop" is unknown: use short, squeeze`, fails("train --dataset folder --set resize=crop"))
	require.Equal(t, "resize and exif are for dataset \"folder\", your pictures; the images of shapes have one size",
		fails("train --dataset shapes --set exif=leave"))
}

// A folder that is too small to train on is listed, with the reason.
func TestIndexOfAFolderThatIsTooSmall(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"a/1.png", "a/2.png", "b/1.png", "b/2.png"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), nil, 0o644))
	}
	out, err := call(t, "data", "index", dir)
	require.NoError(t, err)
	require.Contains(t, out, "images: 2 for training, 0 for validation, 2 for test\nA training refuses this folder: "+
		"its classes have too few pictures for validation and test: three of a class are the least.\n")
}

// A sweep looks at the folder before it begins, and marks no run as failed for it.
func TestSweepOfAFolderThatIsNotThere(t *testing.T) {
	root := projecttest.Empty(t)
	file, made := filepath.Join(root, "s.json"), filepath.Join(root, "runs")
	require.NoError(t, os.WriteFile(file, []byte(`{"recipe": "folder", "grid": {"seed": [1, 2]}}`), 0o644))
	few := filepath.Join(root, "few")
	for _, class := range []string{"a", "b"} {
		picturestest.WriteGrey(t, filepath.Join(few, class, "1.png"), 9, 9, func(int) byte { return 0 })
	}
	for want, flags := range map[string][]string{
		"folder: name the folder of the pictures by --data-root": nil,
		"folder: " + dataset.TooFewPictures:                      {"--data-root", few},
	} {
		_, err := call(t, append([]string{"sweep", "run", file, "--runs", made}, flags...)...)
		require.EqualError(t, err, want)
		require.NoDirExists(t, made)
	}
}

// A folder that changes after a training: the run does not go on with it, evaluations say so, and other classes are refused.
func TestFolderChangesAfterTraining(t *testing.T) {
	backendtest.Open(t)
	real, err := project.Root()
	require.NoError(t, err)
	root, dir := projecttest.Empty(t), filepath.Join(t.TempDir(), "pets")
	require.NoError(t, os.Symlink(filepath.Join(real, ".venv"), filepath.Join(root, ".venv"))) // it has the plugin
	add := func(class string, numbers ...int) {
		for _, i := range numbers {
			path := filepath.Join(dir, class, strconv.Itoa(i)+".png")
			picturestest.WriteGrey(t, path, 16, 16, func(pixel int) byte { return byte(20*len(class) + i*pixel) })
		}
	}
	add("cat", 1, 2, 3, 4, 5, 6, 7, 8)
	add("tiger", 1, 2, 3, 4, 5, 6, 7, 8)
	file := filepath.Join(root, "a.safetensors")
	says := func(line string) string {
		out, err := call(t, strings.Fields(line+" --data-root "+dir+" --runs "+root+"/runs")...)
		require.NoError(t, err)
		return out
	}
	fails := func(line string) string {
		_, err := call(t, strings.Fields(line+" --data-root "+dir+" --runs "+root+"/runs")...)
		require.Error(t, err)
		return err.Error()
	}
	const settings = "--dataset folder --image-size 16 --depth 8 --epochs 1 --batch-size 4 "
	says("train --run a " + settings)
	says("export a -o " + file)
	says("import " + file + " --run b")
	require.NotContains(t, says("eval a")+says("eval "+file), "note:")

	add("cat", 9)
	const change = "training had 12 pictures and has 13, validation has other files"
	require.Equal(t, "the folder of pictures has changed since the run "+root+"/runs/b began: "+change+
		"; put it back as it was, or choose another run name", fails("train --run b "+settings))
	const note = "note: the folder of pictures has changed since the training: " + change
	require.Contains(t, says("eval a"), note)
	require.Contains(t, says("eval "+file), note)
	require.Contains(t, says("import "+file+" --run c"), note)
	require.NoError(t, os.Remove(filepath.Join(dir, "cat", "9.png")))
	says("train --run b " + settings)

	require.NoError(t, os.Rename(filepath.Join(dir, "cat"), filepath.Join(dir, "zebra")))
	const other = " was trained on other classes: now there is zebra instead of cat; name the folder of its pictures by --data-root"
	require.Equal(t, "the run a"+other, fails("eval a"))
	require.Equal(t, "the network in "+file+other, fails("eval "+file))
	require.Equal(t, "the run "+root+"/runs/c"+other+", or choose another run name", fails("train --run c "+settings))
}
