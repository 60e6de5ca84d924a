package dataset

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

	"stochdepth/toolkit/internal/project/projecttest"
)

// addPictures writes n pictures of one grey each, from first on, as dir/class/*.png.
func addPictures(t *testing.T, dir, class string, n, first int) {
	require.NoError(t, os.MkdirAll(filepath.Join(dir, class), 0o755))
	for i := range n {
		picture := image.NewNRGBA(image.Rect(0, 0, 9, 7)) // as transparent as it is dark
		for p := range picture.Pix {
			picture.Pix[p] = byte(first + i)
		}
		var data bytes.Buffer
		require.NoError(t, png.Encode(&data, picture))
		require.NoError(t, os.WriteFile(filepath.Join(dir, class, fmt.Sprintf("%03d.png", i)), data.Bytes(), 0o644))
	}
}

// seen are the greys of a part's images, in the middle, with their labels.
func seen(v View) map[int]int {
	labels := map[int]int{}
	for i := range v.Len() {
		labels[int(v.Image(i)[v.Format().Bytes()/2])] = v.Label(i)
	}
	return labels
}

// Every image of a folder comes into one part with its class, whatever parts the folder has; a missing part is a tenth of each
// class, and a second part is for the test. Describe knows the numbers beforehand.
func TestPartsOfFolders(t *testing.T) {
	root := projecttest.Empty(t)
	for name, c := range map[string]struct {
		parts                   []string
		train, validation, test int
	}{
		"all":        {[]string{"train", "valid", "test"}, 60, 30, 30},
		"validation": {[]string{"train", "val"}, 54, 6, 30},
		"test":       {[]string{"train", "test"}, 54, 6, 30},
		"train":      {[]string{"train"}, 48, 6, 6},
		"alone":      {[]string{"."}, 48, 6, 6},
	} {
		t.Run(name, func(t *testing.T) {
			dir, next := filepath.Join(root, "data", "cache", name), 1
			for i, part := range c.parts {
				for class, n := range map[string]int{"a": 20, "b": 40} {
					n /= 1 + min(i, 1)
					addPictures(t, filepath.Join(dir, part), class, n, map[string]int{"a": next, "b": next + 20}[class])
				}
				next += 60
			}
			o := Options{Seed: 3, Size: 8, Resize: "squeeze"}
			d, err := Load("folder:"+name, o)
			require.NoError(t, err)
			require.Equal(t, []string{"a", "b"}, d.Classes)
			require.Equal(t, Format{8, 8, 3}, d.Format())
			require.Equal(t, []int{c.train, c.validation, c.test}, []int{d.Train.Len(), d.Validation.Len(), d.Test.Len()})
			all := map[int]int{}
			for _, part := range []View{d.Train, d.Validation, d.Test} {
				for grey, label := range seen(part) {
					require.NotContains(t, all, grey)
					all[grey] = label
					want := 0
					if (grey-1)%60 >= 20 {
						want = 1
					}
					require.Equal(t, want, label, grey)
				}
			}
			require.Len(t, all, c.train+c.validation+c.test)

			set, err := Describe("folder", dir)
			require.NoError(t, err)
			require.Equal(t, []int{c.train, c.validation, c.test}, []int{set.Train, set.Validation, set.Test})
			require.Equal(t, d.Classes, set.Classes)

			o.Seed = 4
			other, err := Load("folder:"+name, o)
			require.NoError(t, err)
			require.NotEqual(t, seen(d.Train.First(20)), seen(other.Train.First(20)), "the seed shuffles")
			if len(c.parts) == 3 {
				require.Equal(t, seen(d.Test.First(9)), seen(other.Test.First(9)), "given parts are the same for all seeds")
				require.Len(t, d.Test.First(9).Counts(2), 2)
			} else {
				require.NotEqual(t, seen(d.Validation), seen(other.Validation))
			}
		})
	}
}

// A picture that is added, or removed, changes the part of few others, and none goes from the training to the test.
func TestSplitOfAChangedFolder(t *testing.T) {
	projecttest.Empty(t)
	dir := t.TempDir()
	for class := range 3 {
		addPictures(t, dir, fmt.Sprint(class), 83+class, 1)
	}
	parts := func() map[string]int {
		d, err := Load("folder", Options{Root: dir, Seed: 5, Size: 8})
		require.NoError(t, err)
		part := map[string]int{}
		for i, view := range []View{d.Train, d.Validation, d.Test} {
			for k := range view.Len() {
				part[view.File(k)] = i
			}
		}
		return part
	}
	before := parts()
	for change := range 20 { // ten more in the middle of the names, then ten fewer
		path := filepath.Join(dir, "1", fmt.Sprintf("%03d-more.png", change%10*8))
		if change < 10 {
			data, err := os.ReadFile(filepath.Join(dir, "1", "000.png"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, data, 0o644))
		} else {
			require.NoError(t, os.Remove(path))
		}
		after, moved := parts(), 0
		for file, part := range after {
			if former, known := before[file]; known && former != part {
				moved++
				require.Contains(t, []int{-1, 1}, part-former, "%s goes to the next part", file)
			}
		}
		require.LessOrEqual(t, moved, 3)
		before = after
	}
}

// At most about 10,000 images are split off, and at least one of a class of two.
func TestOtherClasses(t *testing.T) {
	trained := &Contents{Classes: []string{"cat", "dog", "owl"}}
	for want, now := range map[string][]string{
		"":                                         {"cat", "dog", "owl"},
		"its classes are in another order":         {"dog", "cat", "owl"},
		"owl is missing now":                       {"cat", "dog"},
		"dog and owl are missing now":              {"cat"},
		"now there is also yak":                    {"cat", "dog", "owl", "yak"},
		"now there are also ant and yak":           {"ant", "cat", "dog", "owl", "yak"},
		"now there is yak instead of owl":          {"cat", "dog", "yak"},
		"now there are ant and yak instead of owl": {"ant", "cat", "dog", "yak"},
	} {
		require.Equal(t, want, trained.OtherClasses(&Contents{Classes: now}))
	}
}

func TestTenth(t *testing.T) {
	require.Equal(t, []int{2, 0, 1, 1, 10}, tenth([]int{20, 1, 2, 14, 100}))
	require.Equal(t, []int{6_667, 3_333}, tenth([]int{1_000_000, 500_000}))
}

func TestFoldersThatCannotBeLoaded(t *testing.T) {
	root := projecttest.Empty(t)
	few := t.TempDir()
	addPictures(t, few, "a", 1, 1)
	addPictures(t, few, "b", 1, 2)
	file := filepath.Join(root, "go.mod")
	for _, c := range []struct{ name, root, want string }{
		{"folder", "", "folder: name the folder of the pictures by --data-root"},
		{"folder:flowers", "", "folder:flowers: there is no folder " + filepath.Join(root, "data", "cache", "flowers") +
			": put the pictures there, or name their folder by --data-root"},
		{"folder", file, "folder: " + file + " is a file, not a folder"},
		{"folder", few + "/no", "folder: there is no folder " + few + "/no"},
		{"folder", few, "folder: its classes have too few pictures for validation and test: three of a class are the least"},
		{"folder:../x", few, `there is no data set "folder:../x": choose one of shapes, cifar10, cifar100, svhn, folder`},
	} {
		_, err := Load(c.name, Options{Root: c.root})
		require.EqualError(t, err, c.want)
	}
	addPictures(t, few, "a", 3, 1)
	_, err := Prepare(context.Background(), "folder", Options{Root: few})
	require.NoError(t, err)
	report, err := Verify("folder", few)
	require.NoError(t, err)
	require.Equal(t, []string{"training: 4 pictures, all decoded"}, report[:1])
	require.Len(t, Names(), len(Sets())+1)
}
