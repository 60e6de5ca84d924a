package notebook

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

// WritePictures writes the images of a set into a folder, as JPEG files: train/CLASS/0.jpg, and the same for val and test. A
// folder that is there already stays as it is.
func WritePictures(dir string, data *dataset.Data) (err error) {
	dir, err = inProject(dir)
	if err != nil || exists(dir) {
		return err
	}
	if err := disk.MkdirAll(filepath.Dir(dir)); err != nil {
		return err
	}
	begun, err := os.MkdirTemp(filepath.Dir(dir), ".pictures-") // the folder gets its name when it is whole
	if err != nil {
		return err
	}
	defer os.RemoveAll(begun)
	whole := filepath.Join(begun, "pictures")
	for part, images := range map[string]dataset.View{"train": data.Train, "val": data.Validation, "test": data.Test} {
		if err := writePart(filepath.Join(whole, part), images, data.Classes); err != nil {
			return err
		}
	}
	if err := disk.Rename(whole, dir); err != nil && !exists(dir) { // another process may have been first
		return err
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// writePart writes the images of a part, each as CLASS/NUMBER.jpg with its number in the part.
func writePart(dir string, images dataset.View, classes []string) error {
	for _, class := range classes {
		if err := disk.MkdirAll(filepath.Join(dir, class)); err != nil {
			return err
		}
	}
	format := images.Format()
	for i := range images.Len() {
		picture, pixels := image.NewRGBA(image.Rect(0, 0, format.Width, format.Height)), images.Image(i)
		for p := range format.Width * format.Height {
			copy(picture.Pix[4*p:], pixels[3*p:3*p+3])
			picture.Pix[4*p+3] = 0xff
		}
		file, err := os.Create(filepath.Join(dir, classes[images.Label(i)], fmt.Sprintf("%d.jpg", i)))
		if err != nil {
			return err
		}
		if err := errors.Join(jpeg.Encode(file, picture, &jpeg.Options{Quality: 90}), file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Tree prints the folders and files in a folder: of each folder at most that many names, and how many more there are (if it is
// one more, that one). It ends the cell if there is no such folder.
func Tree(dir string, most int) {
	path := Must(inProject(dir))
	fmt.Println(filepath.Base(path) + "/")
	Check(tree(path, "  ", most))
	flush()
}

func tree(dir, indent string, most int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for i, entry := range entries {
		if i == most && len(entries) > most+1 {
			fmt.Printf("%s... %s more\n", indent, say.Grouped(len(entries)-most))
			break
		}
		path, name := filepath.Join(dir, entry.Name()), say.Shown(entry.Name())
		if info, err := os.Stat(path); err != nil || !info.IsDir() { // a link to a folder is one
			fmt.Println(indent + name)
			continue
		}
		fmt.Println(indent + name + "/")
		if err := tree(path, indent+"  ", most); err != nil {
			return err
		}
	}
	return nil
}

var unfitForNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// PictureSet returns the name of a folder of pictures as a data set, for the key dataset of a recipe: folder:birds for
// /home/me/birds. A folder that is not in data/cache gets a link there, so that its pictures are found by that name alone. It
// ends the cell if there is no such folder, or another one of that name.
func PictureSet(dir string) string { return Must(pictureSet(dir)) }

func pictureSet(dir string) (string, error) {
	dir, err := inProject(dir)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("there is no folder %s", dir)
	}
	name := cmp.Or(strings.Trim(unfitForNames.ReplaceAllString(filepath.Base(dir), "-"), "-._"), "pictures")
	link := filepath.Join(dataset.DefaultRoot(), name)
	if err := disk.MkdirAll(filepath.Dir(link)); err != nil {
		return "", err
	}
	if err := os.Symlink(dir, link); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	there, err := os.Stat(link)
	if own, _ := os.Stat(dir); err != nil || !os.SameFile(own, there) {
		return "", fmt.Errorf("%s is another folder: give %s another name, or remove that", link, dir)
	}
	return dataset.Folder + ":" + name, nil
}

// Data loads the data of a recipe. Pictures that are not packed yet are packed, with a bar, and notes about them are printed. An
// error ends the cell.
func Data(recipe recipes.Recipe) *dataset.Data {
	options := recipe.DataOptions("")
	if !dataset.IsFolder(recipe.Dataset) {
		return Must(dataset.Load(recipe.Dataset, options))
	}
	bar := NewBar(0, recipe.Dataset, "pictures")
	options.Progress = func(done, total int64, what string) {
		bar.SetTotal(total)
		bar.Set(done, what)
	}
	data, err := dataset.Load(recipe.Dataset, options)
	if err != nil {
		bar.Done("not finished")
		Check(err)
	}
	bar.Set(int64(data.Train.Len()+data.Validation.Len()+data.Test.Len()), "")
	bar.Done(fmt.Sprintf("as images of %dx%d pixels", data.Format().Width, data.Format().Height))
	for _, note := range data.Notes {
		fmt.Println("note:", note)
	}
	return data
}
