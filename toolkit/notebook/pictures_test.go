package notebook

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/project/projecttest"
)

// The pictures that are written are those of the set: a folder of them is read again, the same but for JPEG's loss, each with the
// name of its file.
func TestPicturesAreWrittenAndReadAgain(t *testing.T) {
	root := projecttest.Empty(t)
	drawn := Must(dataset.Load("shapes", dataset.Options{Seed: 1, Size: 40, Train: 60, Validation: 20, Test: 30}))
	require.NoError(t, WritePictures("mine/my shapes", drawn))
	dir := filepath.Join(root, "mine", "my shapes")
	require.FileExists(t, filepath.Join(dir, "train", drawn.Classes[3], "13.jpg"))
	left, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary folder is left")

	set := PictureSet("mine/my shapes")
	require.Equal(t, "folder:my-shapes", set)
	recipe := Recipe("quickstart", "dataset="+set, "image_size=40", "train_images=0", "validation_images=0", "test_images=0")
	data := Data(recipe)
	require.Equal(t, []int{60, 20, 30}, []int{data.Train.Len(), data.Validation.Len(), data.Test.Len()})
	for i := range data.Test.Len() {
		var number int
		class, file := data.Classes[data.Test.Label(i)], data.Test.File(i)
		require.Equal(t, filepath.Join("test", class), filepath.Dir(file))
		_, err := fmt.Sscanf(filepath.Base(file), "%d.jpg", &number)
		require.NoError(t, err)
		require.Equal(t, class, drawn.Classes[drawn.Test.Label(number)])
		require.Less(t, distance(data.Test.Image(i), drawn.Test.Image(number)), 30.0, file)
		require.Greater(t, distance(data.Test.Image(i), drawn.Test.Image((number+10)%30)), 40.0, "another of its class")
	}

	require.NoError(t, WritePictures("mine/my shapes", &dataset.Data{}), "what is there stays")
	require.FileExists(t, filepath.Join(dir, "train", drawn.Classes[3], "13.jpg"))
	require.Empty(t, drawn.Test.File(0), "shapes have no files")
}

// A folder of pictures becomes a data set by its name, wherever it is, and is not mistaken for another one.
func TestPictureSet(t *testing.T) {
	root := projecttest.Empty(t)
	folder := func(path ...string) string {
		dir := filepath.Join(append([]string{root}, path...)...)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		return dir
	}
	require.Equal(t, "folder:a", PictureSet(folder("data", "cache", "a")))
	require.Equal(t, "folder:b_1", PictureSet(folder("elsewhere", "b_1")))
	require.Equal(t, "folder:b_1", PictureSet(folder("elsewhere", "b_1")), "again")
	require.Equal(t, "folder:pictures", PictureSet(folder("elsewhere", "蝶")))
	link, err := os.Readlink(filepath.Join(root, "data", "cache", "b_1"))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "elsewhere", "b_1"), link)

	_, err = pictureSet(folder("third", "b_1"))
	require.ErrorContains(t, err, filepath.Join("data", "cache", "b_1")+" is another folder: give ")
	_, err = pictureSet("nowhere")
	require.EqualError(t, err, "there is no folder "+filepath.Join(root, "nowhere"))
}

func ExampleTree() {
	dir := filepath.Join(Must(os.MkdirTemp("", "")), "birds")
	defer os.RemoveAll(filepath.Dir(dir))
	for _, path := range []string{"train/owl/1.jpg", "train/owl/2.jpg", "train/owl/3.jpg", "train/owl/4.jpg", "train/wren/1.jpg",
		"test/owl/1.jpg", "val/owl/1.jpg"} {
		Check(os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755))
		Check(os.WriteFile(filepath.Join(dir, path), nil, 0o644))
	}
	Tree(dir, 2)
	// Output:
	// birds/
	//   test/
	//     owl/
	//       1.jpg
	//   train/
	//     owl/
	//       1.jpg
	//       2.jpg
	//       ... 2 more
	//     wren/
	//       1.jpg
	//   val/
	//     owl/
	//       1.jpg
}

// distance is the root mean square difference of two images.
func distance(a, b []byte) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(a)))
}
