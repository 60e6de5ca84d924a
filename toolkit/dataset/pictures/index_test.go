package pictures

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// folderOf writes files, with their content, into a new folder.
func folderOf(t testing.TB, files map[string]string) string {
	dir := t.TempDir()
	for path, data := range files {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(data), 0o644))
	}
	return dir
}

// empty are empty files; Index opens none.
func empty(paths ...string) map[string]string {
	files := map[string]string{}
	for _, path := range paths {
		files[path] = ""
	}
	return files
}

// listed are the files of the parts, by class.
func listed(f *Folder) map[string][][]string {
	parts := map[string][][]string{}
	for _, part := range f.Parts {
		for _, class := range part.Classes {
			var paths []string
			for _, file := range class {
				paths = append(paths, file.Path)
			}
			parts[part.Name] = append(parts[part.Name], paths)
		}
	}
	return parts
}

// Classes are in the order of their bytes, with hidden ones; folders inside belong to the class, links are followed, and
// extensions count without regard to case. Litter is passed over, and what is no picture is listed.
func TestIndexIsImageFolders(t *testing.T) {
	dir := folderOf(t, empty("train/b/2.JPG", "train/b/1.png", "train/b/.DS_Store", "train/b/notes.txt", "train/B/1.jpeg",
		"train/é/x.jpg", "train/.hidden/1.jpg", "train/a10/1.jpg", "train/a9/in/deep/1.Png", "train/a9/._1.jpg", "train/README",
		"valid/b/3.jpg", "valid/B/3.jpg", "extras/x.jpg", "elsewhere/7.jpg"))
	require.NoError(t, os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "train", "linked")))
	require.NoError(t, os.Symlink(filepath.Join(dir, "elsewhere", "7.jpg"), filepath.Join(dir, "train", "b", "7.jpg")))
	require.NoError(t, os.Symlink("nothing", filepath.Join(dir, "train", "b", "broken.jpg")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "train", "b", "pipe.jpg"), 0o644))
	f, err := Index(dir)
	require.NoError(t, err)
	require.Equal(t, []string{".hidden", "B", "a10", "a9", "b", "linked", "é"}, f.Classes)
	require.Equal(t, map[string][][]string{
		Training: {{"train/.hidden/1.jpg"}, {"train/B/1.jpeg"}, {"train/a10/1.jpg"}, {"train/a9/in/deep/1.Png"},
			{"train/b/1.png", "train/b/2.JPG", "train/b/7.jpg"}, {"train/linked/7.jpg"}, {"train/é/x.jpg"}},
		Validation: {nil, {"valid/B/3.jpg"}, nil, nil, {"valid/b/3.jpg"}, nil, nil},
	}, listed(f))
	require.Equal(t, []string{"train/b/broken.jpg", "train/b/notes.txt", "train/b/pipe.jpg"}, f.Strays)
	require.Equal(t, []string{filepath.Join(dir, "valid") + " has no pictures of .hidden, a10, a9 and 2 more",
		"elsewhere and extras are passed over beside train"}, f.Notes)
}

// What is lost beside class folders is said.
func TestIndexNotesWhatIsPassedOver(t *testing.T) {
	for _, train := range []string{"train", "."} {
		dir := folderOf(t, empty(train+"/a/1.jpg", train+"/b/1.jpg", train+"/1.jpg", train+"/x\ny.png", train+"/list.txt"))
		require.NoError(t, os.Symlink("nothing", filepath.Join(dir, train, "c")))
		f, err := Index(dir)
		require.NoError(t, err)
		require.Equal(t, []string{"c is a link to nothing in " + filepath.Join(dir, train),
			`1.jpg and "x\ny.png" are passed over in ` + filepath.Join(dir, train) + " itself, not in the folder of a class"}, f.Notes)
	}
}

func TestIndexOfClassFoldersAlone(t *testing.T) {
	f, err := Index(folderOf(t, empty("cat/1.jpg", "dog/1.jpg", "list.txt")))
	require.NoError(t, err)
	require.Equal(t, []string{"cat", "dog"}, f.Classes)
	require.Equal(t, map[string][][]string{Training: {{"cat/1.jpg"}, {"dog/1.jpg"}}}, listed(f))
	require.Empty(t, f.Notes)
}

// Tiny ImageNet is read as it comes: classes by their names in words.txt where these are unique, boxes passed over, validation by
// its list, and the test pictures, which have no classes, left out.
func TestIndexOfTinyImageNet(t *testing.T) {
	files := empty("test/images/test_0.JPEG", "wnids.txt")
	for _, class := range []string{"n3", "n1", "n2"} {
		for i := range 2 {
			files[fmt.Sprintf("train/%s/images/%[1]s_%d.JPEG", class, i)] = ""
		}
		files["train/"+class+"/"+class+"_boxes.txt"] = ""
	}
	files["val/images/val_0.JPEG"], files["val/images/val_1.JPEG"] = "", ""
	files["val/val_annotations.txt"] = "val_0.JPEG\tn3\t0\t0\t62\t62\nval_1.JPEG\tn1\t1\t1\t2\t2\n"
	files["words.txt"] = "n1\tcrane\nn2\tgoldfish, Carassius auratus\nn3\tcrane\nn4\tother\n"
	dir := folderOf(t, files)
	f, err := Index(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"n1", "goldfish", "n3"}, f.Classes)
	require.Equal(t, [][]string{{"val/images/val_1.JPEG"}, nil, {"val/images/val_0.JPEG"}}, listed(f)[Validation])
	require.Equal(t, []string{"train/n2/images/n2_0.JPEG", "train/n2/images/n2_1.JPEG"}, listed(f)[Training][1])
	require.Len(t, f.Parts, 2)
	require.Empty(t, f.Strays)
	require.Equal(t, []string{filepath.Join(dir, "val") + " has no pictures of n2",
		filepath.Join(dir, "test") + " has no class folders and is passed over"}, f.Notes)

	for annotations, want := range map[string]string{
		"val_0.JPEG\tn5\n": "gives val_0.JPEG the class n5, which is not in train",
		"val_0.JPEG\tn1\n": "has no class for val/images/val_1.JPEG",
	} {
		files["val/val_annotations.txt"] = annotations
		_, err := Index(folderOf(t, files))
		require.ErrorContains(t, err, "val_annotations.txt "+want)
	}
}

// Folders that cannot be read are refused in a sentence that says what to do.
func TestRefusedFolders(t *testing.T) {
	const two = "train/a/1.jpg train/b/1.jpg "
	const none = " has no folders with pictures: give one that has a folder for each class, such as train/cat/1.jpg"
	for want, paths := range map[string]string{
		"DIR" + none:       "1.jpg",
		"DIR/train" + none: "train/1.jpg",
		"DIR/train has one class only, a: a network needs two at least":                          "train/a/1.jpg",
		"DIR holds set, which holds train: give DIR/set":                                         "set/train/a/1.jpg set/train/b/1.jpg",
		"b has no pictures in DIR/train: put some there or remove the class":                     "train/a/1.jpg train/b/1.gif",
		"DIR has val but no train: name the folder of the training pictures train":               "val/a/1.jpg val/b/1.jpg",
		"DIR has both val and validation: rename one of them":                                    two + "val/a/1.jpg validation/a/1.jpg",
		"c is a class in DIR/test, but not in train: a network learns only the classes of train": two + "test/a/1.jpg test/c/1",
	} {
		dir := folderOf(t, empty(strings.Fields(paths)...))
		_, err := Index(dir)
		require.EqualError(t, err, strings.ReplaceAll(want, "DIR", dir))
	}
	dir := folderOf(t, empty("train/a/1.jpg", "train/b/1.jpg"))
	require.NoError(t, os.Symlink("..", filepath.Join(dir, "train", "b", "up")))
	_, err := Index(dir)
	require.ErrorContains(t, err, "is a link to a folder above it: remove the link")
	_, err = Index(filepath.Join(dir, "nowhere"))
	require.EqualError(t, err, "there is no folder "+filepath.Join(dir, "nowhere"))
}
