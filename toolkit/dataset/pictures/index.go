package pictures

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

// The parts of a folder of pictures.
const (
	Training   = "training"
	Validation = "validation"
	Test       = "test"
)

// Folder is what a folder of pictures has to read. No picture has been opened yet.
type Folder struct {
	Dir     string
	Classes []string // name of each label
	Parts   []Part   // training, and those of validation and test that it has; pictures in class folders alone are training
	Strays  []string // files in class folders that are no pictures by their names, relative to Dir
	Notes   []string // a sentence about each thing that the user should know
}

// Part is a part of a folder.
type Part struct {
	Name    string   // Training, Validation or Test
	Classes [][]File // of each class
}

// File is a picture's file.
type File struct {
	Path string // relative to the folder
	Size int64  // in bytes
	time int64  // of its last change, in nanoseconds
}

// Len returns the number of pictures.
func (p Part) Len() (n int) {
	for _, class := range p.Classes {
		n += len(class)
	}
	return n
}

// partNames are the folders of the parts.
var partNames = []struct {
	part  string
	names []string
}{
	{Training, []string{"train"}},
	{Validation, []string{"val", "valid", "validation"}},
	{Test, []string{"test"}},
}

const mostClasses = 1 << 16

// Index lists the pictures of a folder: train/CLASS/*.jpg, and perhaps val/ (valid/, validation/) and test/; or CLASS/*.jpg
// alone; or Tiny ImageNet's own layout, in which a list gives the classes of the pictures in val/images. Classes and
// files are those of torchvision's ImageFolder: classes in the order of their names' bytes, hidden ones too; folders in a class
// folder belong to the class, links are followed, the case of extensions does not matter. Errors are one sentence.
func Index(dir string) (*Folder, error) {
	f := &Folder{Dir: dir}
	tops, err := f.folders(".")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(tops, "train") {
		if name := anyPart(tops); name != "" {
			return nil, fmt.Errorf("%s has %s but no train: name the folder of the training pictures train", say.Shown(dir), name)
		}
		if err := f.train(".", tops); err != nil {
			return nil, err
		}
		return f, nil
	}
	for _, part := range partNames {
		found := slices.DeleteFunc(slices.Clone(tops), func(name string) bool { return !slices.Contains(part.names, name) })
		switch {
		case len(found) > 1:
			return nil, fmt.Errorf("%s has both %s and %s: rename one of them", say.Shown(dir), found[0], found[1])
		case len(found) == 0:
			continue
		}
		tops = slices.DeleteFunc(tops, func(name string) bool { return name == found[0] })
		if part.part == Training {
			classes, err := f.folders("train")
			if err == nil {
				err = f.train("train", classes)
			}
			if err != nil {
				return nil, err
			}
		} else if err := f.other(part.part, found[0]); err != nil {
			return nil, err
		}
	}
	if len(tops) > 0 {
		f.note("%s beside train", oneOrMany(tops, "is passed over", "are passed over"))
	}
	f.takeWords()
	return f, nil
}

func anyPart(tops []string) string {
	for _, part := range partNames {
		for _, name := range part.names {
			if slices.Contains(tops, name) {
				return name
			}
		}
	}
	return ""
}

func (f *Folder) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// folders returns the names of the folders in a folder, in the order of their bytes; links are followed.
func (f *Folder) folders(dir string) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(f.Dir, dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no folder %s", say.Shown(filepath.Join(f.Dir, dir)))
	}
	if err != nil {
		return nil, unreadable(filepath.Join(f.Dir, dir), err)
	}
	for _, entry := range entries {
		isFolder := entry.IsDir()
		if entry.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(filepath.Join(f.Dir, dir, entry.Name()))
			isFolder = err == nil && info.IsDir()
		}
		if isFolder {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func unreadable(path string, err error) error {
	return fmt.Errorf("cannot read the folder of pictures %s: %w", say.Shown(path), cause(err))
}

// passedOver notes what is lost in a folder of class folders: pictures that lie beside these, and links to nothing.
func (f *Folder) passedOver(dir string) {
	entries, _ := os.ReadDir(filepath.Join(f.Dir, dir))
	var loose, dangling []string
	for _, entry := range entries {
		if _, err := os.Stat(filepath.Join(f.Dir, dir, entry.Name())); errors.Is(err, fs.ErrNotExist) {
			dangling = append(dangling, entry.Name())
		} else if err == nil && !entry.IsDir() && isPicture(entry.Name()) && !f.passOver(entry.Name()) {
			loose = append(loose, entry.Name())
		}
	}
	at := say.Shown(filepath.Join(f.Dir, dir))
	if len(dangling) > 0 {
		f.note("%s in %s", oneOrMany(dangling, "is a link to nothing", "are links to nothing"), at)
	}
	if len(loose) > 0 {
		f.note("%s in %s itself, not in the folder of a class", oneOrMany(loose, "is passed over", "are passed over"), at)
	}
}

// train reads the training part and with it the classes.
func (f *Folder) train(dir string, classes []string) error {
	part := Part{Name: Training}
	var empty []string
	for _, class := range classes {
		if inside, _ := f.folders(filepath.Join(dir, class)); dir == "." && slices.Contains(inside, "train") {
			return fmt.Errorf("%s holds %s, which holds train: give %s",
				say.Shown(f.Dir), say.Shown(class), say.Shown(filepath.Join(f.Dir, class)))
		}
		list, err := f.files(filepath.Join(dir, class))
		if err != nil {
			return err
		}
		if len(list) == 0 {
			empty = append(empty, class)
		}
		part.Classes = append(part.Classes, list)
	}
	at := say.Shown(filepath.Join(f.Dir, dir))
	switch {
	case part.Len() == 0:
		return fmt.Errorf("%s has no folders with pictures: give one that has a folder for each class, such as train/cat/1.jpg", at)
	case len(empty) > 0:
		return fmt.Errorf("%s in %s: put some there or remove the class", oneOrMany(empty, "has no pictures", "have no pictures"), at)
	case len(classes) == 1:
		return fmt.Errorf("%s has one class only, %s: a network needs two at least", at, say.Shown(classes[0]))
	case len(classes) > mostClasses:
		return fmt.Errorf("%s has %s classes, more than the %s that are read", at, say.Grouped(len(classes)), say.Grouped(mostClasses))
	}
	f.Classes, f.Parts = classes, append(f.Parts, part)
	f.passedOver(dir)
	return nil
}

// oneOrMany names one thing or the first few of many, with the verb.
func oneOrMany(names []string, one, many string) string {
	if len(names) == 1 {
		return say.Shown(names[0]) + " " + one
	}
	return say.FewOf(names) + " " + many
}

// annotations is the list of Tiny ImageNet's val/, which has the name of a picture in images/, its class and a box in a line.
const annotations = "val_annotations.txt"

// other reads the validation or the test part.
func (f *Folder) other(name, dir string) error {
	at := say.Shown(filepath.Join(f.Dir, dir))
	if _, err := os.Stat(filepath.Join(f.Dir, dir, annotations)); err == nil {
		return f.annotated(name, dir)
	}
	found, err := f.folders(dir)
	if err != nil {
		return err
	}
	var unknown []string
	for _, class := range found {
		if !slices.Contains(f.Classes, class) {
			unknown = append(unknown, class)
		}
	}
	switch {
	case len(found) == 0, len(found) == 1 && len(unknown) == 1 && found[0] == "images":
		f.note("%s has no class folders and is passed over", at)
		return nil
	case len(unknown) > 0:
		return fmt.Errorf("%s in %s, but not in train: a network learns only the classes of train",
			oneOrMany(unknown, "is a class", "are classes"), at)
	}
	f.passedOver(dir)
	part := Part{Name: name, Classes: make([][]File, len(f.Classes))}
	for class, of := range f.Classes {
		if !slices.Contains(found, of) {
			continue
		}
		if part.Classes[class], err = f.files(filepath.Join(dir, of)); err != nil {
			return err
		}
	}
	return f.take(part, at)
}

// take adds a part that has pictures, and says which classes it lacks.
func (f *Folder) take(part Part, at string) error {
	if part.Len() == 0 {
		f.note("%s has no pictures and is passed over", at)
		return nil
	}
	var lacking []string
	for class, list := range part.Classes {
		if len(list) == 0 {
			lacking = append(lacking, f.Classes[class])
		}
	}
	if len(lacking) > 0 {
		f.note("%s has no pictures of %s", at, say.FewOf(lacking))
	}
	f.Parts = append(f.Parts, part)
	return nil
}

// annotated reads a part whose classes are in a list.
func (f *Folder) annotated(name, dir string) error {
	path := filepath.Join(f.Dir, dir, annotations)
	text, err := files.ReadText(path, files.LargestText)
	if err != nil {
		return fmt.Errorf("cannot read the classes of pictures: %w", err)
	}
	classOf := map[string]int{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		class, known := slices.BinarySearch(f.Classes, words[1])
		if !known {
			return fmt.Errorf("%s gives %s the class %s, which is not in train", say.Shown(path), say.Shown(words[0]), say.Shown(words[1]))
		}
		classOf[words[0]] = class
	}
	list, err := f.files(filepath.Join(dir, "images"))
	if err != nil {
		return err
	}
	part := Part{Name: name, Classes: make([][]File, len(f.Classes))}
	for _, file := range list {
		class, known := classOf[filepath.Base(file.Path)]
		if !known {
			return fmt.Errorf("%s has no class for %s", say.Shown(path), say.Shown(file.Path))
		}
		part.Classes[class] = append(part.Classes[class], file)
	}
	return f.take(part, say.Shown(filepath.Join(f.Dir, dir)))
}

// takeWords names the classes by the first word of each in words.txt, the list of WordNet's names that comes with ImageNet,
// where that has them all; names that are there twice stay numbers.
func (f *Folder) takeWords() {
	text, err := files.ReadText(filepath.Join(f.Dir, "words.txt"), files.LargestText)
	if err != nil {
		return
	}
	words := map[string]string{}
	for line := range strings.Lines(string(text)) {
		number, names, _ := strings.Cut(strings.TrimSpace(line), "\t")
		words[number], _, _ = strings.Cut(names, ",")
	}
	count := map[string]int{}
	for _, class := range f.Classes {
		if words[class] == "" {
			return
		}
		count[words[class]]++
	}
	named := slices.Clone(f.Classes)
	for i, class := range f.Classes {
		if word := words[class]; count[word] == 1 {
			named[i] = word
		}
	}
	f.Classes = named
}

// Files that programs leave in folders, which nobody takes for pictures.
var litter = []string{".DS_Store", "Thumbs.db", "desktop.ini"}

// files returns the pictures in a folder and the folders in it, and adds what is there beside them to Strays.
func (f *Folder) files(dir string) ([]File, error) { return f.filesBelow(dir, nil) }

func (f *Folder) filesBelow(dir string, above []fs.FileInfo) (list []File, err error) {
	full := filepath.Join(f.Dir, dir)
	self, err := os.Stat(full)
	if err != nil {
		return nil, unreadable(full, err)
	}
	if slices.ContainsFunc(above, func(info fs.FileInfo) bool { return os.SameFile(info, self) }) {
		return nil, fmt.Errorf("%s is a link to a folder above it: remove the link", say.Shown(full))
	}
	entries, err := os.ReadDir(full)
	if err != nil {
		return nil, unreadable(full, err)
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		info, err := os.Stat(filepath.Join(f.Dir, path)) // follows links
		switch {
		case err == nil && info.IsDir():
			below, err := f.filesBelow(path, append(above, self))
			if err != nil {
				return nil, err
			}
			list = append(list, below...)
		case f.passOver(entry.Name()):
		case err != nil || !info.Mode().IsRegular() || !isPicture(entry.Name()): // a link to nothing, a pipe, another file
			f.Strays = append(f.Strays, path)
		default:
			list = append(list, File{path, info.Size(), info.ModTime().UnixNano()})
		}
	}
	return list, nil
}

// passOver reports whether a file in a class folder is known to be no picture: litter, and Tiny ImageNet's lists of boxes.
func (f *Folder) passOver(name string) bool {
	return slices.Contains(litter, name) || strings.HasPrefix(name, "._") || strings.HasSuffix(name, "_boxes.txt")
}

func isPicture(name string) bool {
	return slices.Contains([]string{".jpg", ".jpeg", ".png"}, strings.ToLower(filepath.Ext(name)))
}

// digest returns a checksum of everything that a pack depends on but the pictures' content: the names, sizes and times of all
// files and the settings.
func (f *Folder) digest(s Settings) string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%+v\n%q\n%q\n", s, f.Classes, f.Strays)
	for _, part := range f.Parts {
		for class, list := range part.Classes {
			fmt.Fprintf(hash, "%s %d\n", part.Name, class)
			for _, file := range list {
				fmt.Fprintf(hash, "%q %d %d\n", file.Path, file.Size, file.time)
			}
		}
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}
