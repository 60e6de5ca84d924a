package dataset

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"stochdepth/toolkit/dataset/pictures"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/internal/splitmix"
)

// A folder of pictures is a data set too. Its name is folder, or folder:NAME, which gives it a name in tables and figures.

// Folder is the name of the set whose images are in the folder Options.Root.
const Folder = "folder"

// folderSide is the side of a folder's images, in pixels, if Options do not say it.
const folderSide = 64

var folderName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// pictureSet is a folder of pictures by the name of its set.
type pictureSet struct{ name string }

// folderSet returns the set with a name such as folder or folder:flowers.
func folderSet(name string) (set Set, ok bool) {
	first, title, named := strings.Cut(name, ":")
	if first != Folder || named && !folderName.MatchString(title) {
		return Set{}, false
	}
	p := pictureSet{name}
	return Set{Name: name, Title: cmp.Or(title, Folder), Format: square(folderSide), Own: true,
		verify: p.verify, least: smallestSide, most: largestSide}, true
}

// IsFolder reports whether a name is that of a folder of pictures.
func IsFolder(name string) bool {
	_, ok := folderSet(name)
	return ok
}

// dir returns the folder: root, which must be given for a set without a name; for one with a name the folder of that name in
// data/cache is enough.
func (p pictureSet) dir(root string) (string, error) {
	_, title, named := strings.Cut(p.name, ":")
	switch {
	case root != "":
	case named:
		root = filepath.Join(DefaultRoot(), title)
	default:
		return "", fmt.Errorf("%s: name the folder of the pictures by --data-root", p.name)
	}
	info, err := os.Stat(root)
	switch {
	case err != nil && named:
		return "", fmt.Errorf("%s: there is no folder %s: put the pictures there, or name their folder by --data-root", p.name, root)
	case err != nil:
		return "", fmt.Errorf("%s: there is no folder %s", p.name, root)
	case !info.IsDir():
		return "", fmt.Errorf("%s: %s is a file, not a folder", p.name, root)
	}
	return root, nil
}

// index lists the folder's files.
func (p pictureSet) index(root string) (*pictures.Folder, error) {
	dir, err := p.dir(root)
	if err != nil {
		return nil, err
	}
	folder, err := pictures.Index(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return folder, nil
}

// open packs the folder, if it is not packed yet.
func (p pictureSet) open(ctx context.Context, o Options) (*pictures.Pack, error) {
	folder, err := p.index(o.Root)
	if err != nil {
		return nil, err
	}
	pack, err := pictures.Open(ctx, folder, pictures.Options{
		Settings: pictures.Settings{
			Side:   cmp.Or(o.Size, folderSide),
			Resize: cmp.Or(o.Resize, pictures.ShortSide), EXIF: cmp.Or(o.EXIF, pictures.ObeyEXIF),
		},
		Cache: DefaultRoot(), SkipDamaged: o.SkipDamaged, Progress: o.Progress,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return pack, nil
}

func (p pictureSet) load(ctx context.Context, o Options) (*Data, error) {
	pack, err := p.open(ctx, o)
	if err != nil {
		return nil, err
	}
	d := &Data{Name: p.name, Classes: pack.Classes, Notes: pack.Notes}
	format, given := square(cmp.Or(o.Size, folderSide)), map[string]View{}
	for _, part := range pack.Parts {
		images := &Images{Format: format, Pixels: part.Pixels, mapped: pack.Path, release: pack.Release}
		for class, n := range part.Counts {
			if n == 0 && part.Name == pictures.Training {
				return nil, fmt.Errorf("%s: no picture of class %s can be read: replace them or remove the class",
					p.name, say.Shown(pack.Classes[class]))
			}
			for range n {
				images.Labels = append(images.Labels, uint16(class))
			}
		}
		images.Files, images.sizes = part.Files, part.Sizes
		given[part.Name] = NewView(images)
	}
	d.divide(o, given)
	if d.Validation.Len() == 0 || d.Test.Len() == 0 {
		return nil, fmt.Errorf("%s: %s", p.name, TooFewPictures)
	}
	if d, err = d.limited(o); err != nil {
		return nil, err
	}
	d.Contents = d.contents()
	return d, nil
}

// TooFewPictures says what is wrong with a folder whose training part is too small to be split.
const TooFewPictures = "its classes have too few pictures for validation and test: three of a class are the least"

// divide takes the parts of a folder as they are. Where one is missing, it is a tenth of each class of the training part, at
// most about folderMost images in all. A folder with two parts, such as ImageNet's, is tested on the second, whatever its name,
// so that the images that choose the epoch are never those that are reported.
//
// The order of a part, and so what is split off, follows from the seed and each file's name alone: of a class the test part has
// the first tenth, the validation part the next one. A picture more or less, or another class, moves no more than the few beside
// the borders, each into the next part: no picture of the test becomes one of the training, or the reverse, unless many change.
func (d *Data) divide(o Options, given map[string]View) {
	d.Train, d.Validation, d.Test = given[pictures.Training], given[pictures.Validation], given[pictures.Test]
	if d.Test.Len() == 0 {
		d.Test, d.Validation = d.Validation, View{}
	}
	d.Validation.sortByName(0) // the same images come first, whatever the seed
	d.Test.sortByName(0)
	d.Train.sortByName(o.Seed)
	for _, part := range []*View{&d.Test, &d.Validation} {
		if part.Len() == 0 {
			d.Train, *part = splitTenth(d.Train, len(d.Classes))
		}
	}
}

// sortByName puts images of one folder into the order of random numbers that follow from the seed and the names of their files.
func (v View) sortByName(seed int64) {
	if v.Len() == 0 {
		return
	}
	key := splitmix.Mix(uint64(seed) ^ splitmix.Mix(streamSplit))
	numbers := make([]uint64, v.Len()) // by position, which the index still is
	for i := range numbers {
		hash := fnv.New64a()
		io.WriteString(hash, v.File(i))
		numbers[v.index[i]] = splitmix.Mix(hash.Sum64() ^ key)
	}
	slices.SortStableFunc(v.index, func(i, j int32) int { return cmp.Compare(numbers[i], numbers[j]) })
}

// folderMost is the most images of a part that is split off a folder's training part.
const folderMost = 10_000

// tenth returns a tenth of each count, rounded to the nearest, but 1 at least of 2 or more, and about folderMost at most in all.
func tenth(counts []int) []int {
	all := 0
	for _, n := range counts {
		all += n
	}
	share, tenths := min(0.1, folderMost/float64(all)), make([]int, len(counts))
	for i, n := range counts {
		tenths[i] = min(max(1, int(share*float64(n)+0.5)), n-1)
	}
	return tenths
}

// splitTenth takes the first tenth of each class.
func splitTenth(all View, classes int) (rest, taken View) {
	wanted := tenth(all.Counts(classes))
	rest, taken = View{parts: all.parts}, View{parts: all.parts}
	for i, position := range all.index {
		to := &rest
		if left := &wanted[all.Label(i)]; *left > 0 {
			*left--
			to = &taken
		}
		to.index = append(to.index, position)
	}
	return rest, taken
}

// verify decodes every picture that is not packed yet, and reports what the folder has.
func (p pictureSet) verify(root string) (report []string, err error) {
	pack, err := p.open(context.Background(), Options{Root: root})
	if err != nil {
		return nil, err
	}
	for _, part := range pack.Parts {
		n := 0
		for _, count := range part.Counts {
			n += count
		}
		report = append(report, fmt.Sprintf("%s: %s pictures, all decoded", part.Name, say.Grouped(n)))
	}
	return append(report, pack.Notes...), nil
}

// SkipDamaged notes in data/cache that the files of a folder of pictures that cannot be read are passed over, until one of its
// files changes. Without it they are an error.
func SkipDamaged(dir string) error {
	folder, err := pictures.Index(dir)
	if err != nil {
		return err
	}
	return folder.SkipDamaged(DefaultRoot())
}

// Describe is [Find] for a set whose files are in root: of a folder of pictures it lists the files, to fill in the classes and
// the numbers of images, and opens none.
func Describe(name, root string) (Set, error) {
	set, err := Find(name)
	if err != nil || !set.Own {
		return set, err
	}
	folder, err := pictureSet{name}.index(root)
	if err != nil {
		return Set{}, err
	}
	set.Classes = folder.Classes
	set.Train, set.Validation, set.Test = PartsOf(folder)
	return set, nil
}

// PartsOf returns the numbers of images of the parts into which [Load] divides a folder, if all can be read.
func PartsOf(folder *pictures.Folder) (train, validation, test int) {
	count := map[string]int{}
	for _, part := range folder.Parts {
		count[part.Name] = part.Len()
	}
	train, validation, test = count[pictures.Training], count[pictures.Validation], count[pictures.Test]
	if test == 0 {
		test, validation = validation, 0
	}
	left := make([]int, len(folder.Classes)) // images of each class for training
	for class := range left {
		left[class] = len(folder.Parts[0].Classes[class])
	}
	for _, n := range []*int{&test, &validation} {
		if *n == 0 {
			for class, taken := range tenth(left) {
				*n += taken
				left[class] -= taken
			}
			train -= *n
		}
	}
	return train, validation, test
}
