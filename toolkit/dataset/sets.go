package dataset

import (
	"cmp"
	"fmt"
	"strings"

	"stochdepth/toolkit/internal/own"
	"stochdepth/toolkit/internal/say"
)

// Set describes a data set before it is read.
type Set struct {
	Name    string   // in recipes and commands: cifar10
	Title   string   // in the paper: CIFAR-10; shapes are not in the paper and keep their name
	Classes []string // name of each label

	Train, Validation, Test int // default numbers of images in the parts that [Load] returns; for shapes they may be larger

	Format Format // of its images, if no other size is asked for

	Drawn bool // made by this package: there is nothing to download
	Own   bool // a folder of the user's pictures, whose classes and numbers are known when it is read

	least, most int // sides that its images can be given, in pixels; 0: they have that of Format only

	load   func(Options) (*Data, error)                   // nil if Own
	verify func(root string) (report []string, err error) // nil if Drawn
}

// Sets returns the sets that [Load] knows: shapes, cifar10, cifar100, svhn.
func Sets() []Set {
	shapes := Set{Name: "shapes", Title: "shapes", Classes: shapesClasses(), Format: rgb32, Drawn: true, load: loadShapes,
		Train: shapesTrain, Validation: shapesValidation, Test: shapesTest, least: smallestSide, most: largestSide}
	return []Set{shapes, cifar10.set(), cifar100.set(), svhn.set()}
}

// Find returns the set with a name; an unknown name is an error.
func Find(name string) (Set, error) {
	for _, set := range Sets() {
		if set.Name == name {
			return set, nil
		}
	}
	if set, ok := folderSet(name); ok {
		return set, nil
	}
	if set, ok := registered.Find(name); ok {
		return set, nil
	}
	return Set{}, fmt.Errorf("there is no data set %q: choose one of %s", name, strings.Join(append(Names(), Registered()...), ", "))
}

// CheckSize says in one sentence that the set has no images with this side, in pixels, or returns nil. 0 stands for
// the set's own.
func (s Set) CheckSize(size int) error {
	switch own := s.Format.Height; {
	case size == 0 || size == own:
		return nil
	case s.most == 0:
		return fmt.Errorf("%s has images of %dx%d pixels only, not %dx%d: leave the size out", s.Title, own, own, size, size)
	default:
		return say.CheckRange("the size of "+s.Title, size, s.least, s.most)
	}
}

var registered own.Registry[Set]

// Register adds a data set under its name, for recipes of this program: load returns its three parts, each image of the set's
// Format, a label for each name in Classes. It gets the seed and the numbers of images that are asked for; parts that are
// larger are cut. Train, Validation and Test say how large they are.
func Register(set Set, load func(Options) (*Data, error)) error {
	if len(set.Classes) == 0 || set.Format.Bytes() <= 0 {
		return fmt.Errorf("the data set %q needs its classes and the format of its images", set.Name)
	}
	set.Title = cmp.Or(set.Title, set.Name)
	set.Drawn, set.Own, set.least, set.most, set.verify = true, false, 0, 0, nil
	set.load = func(o Options) (*Data, error) {
		data, err := load(o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", set.Name, err)
		}
		data.Name, data.Classes = set.Name, set.Classes
		for _, part := range []View{data.Train, data.Validation, data.Test} {
			if part.Format() != set.Format {
				return nil, fmt.Errorf("%s: its images are %v, and its format is %v: make them equal", set.Name, part.Format(), set.Format)
			}
			for i := range part.Len() {
				if part.Label(i) >= len(set.Classes) {
					return nil, fmt.Errorf("%s: image %d has the label %d, and there are %d classes, from 0 on",
						set.Name, i, part.Label(i), len(set.Classes))
				}
			}
		}
		return data.limited(o)
	}
	return registered.Add("data set", set.Name, set, Names())
}

// Registered lists the names that [Register] added.
func Registered() []string { return registered.Names() }

// Names returns the names of [Sets], in their order, and that of a folder of pictures, folder.
func Names() []string {
	var names []string
	for _, set := range Sets() {
		names = append(names, set.Name)
	}
	return append(names, Folder)
}

func (c cifar) set() Set {
	training, test := c.images()
	return Set{Name: c.name, Title: c.title, Classes: c.classes, Format: rgb32, load: c.load, verify: c.verify,
		Train: training - c.validation, Validation: c.validation, Test: test}
}

func (s svhnSet) set() Set {
	validation := len(digits) * (s.fromTrain + s.fromExtra)
	return Set{Name: s.name, Title: s.title, Classes: digits, Format: rgb32, load: s.load, verify: s.verify,
		Train: s.images[svhnTrain] + s.images[svhnExtra] - validation, Validation: validation, Test: s.images[svhnTest]}
}
