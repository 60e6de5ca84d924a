// Package dataset loads the image sets of the paper, CIFAR-10, CIFAR-100 and SVHN, and folders of your own pictures, and draws
// another set, shapes, which needs no download; [Register] adds a set of your own.
//
// All images are RGB bytes of one size, described by a [Format]: 32x32, and for shapes and folders the size that is asked for.
// [Load] returns the training, validation and test parts of Section 4 of the paper as views: a seed chooses the validation part,
// and nothing is copied. [Get] downloads a set, [Verify] checks the files on disk, and [FitChannels] or [FitMeanImage] fit the
// normalization on the training part alone.
package dataset

import (
	"context"
	"fmt"
	"math/rand/v2"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/internal/splitmix"
)

// Data is a loaded set with its three parts.
type Data struct {
	Name    string
	Classes []string // name of each label

	Train      View // shuffled by the seed, so that its first n images are a fair sample
	Validation View // chooses the epoch
	Test       View // only reported

	Augment bool // whether the paper trains on this set with flips and shifts

	// Of folders of pictures.
	Notes    []string  // a sentence about each thing that the user should know
	Contents *Contents // what they hold; nil for other sets
}

// Format returns the format of the images.
func (d *Data) Format() Format { return d.Train.Format() }

// Options say where a set is and how it is split. The zero value is useful.
type Options struct {
	// Root is the folder that has the set's folder (such as cifar-10-batches-bin), or that folder itself; "" means
	// DefaultRoot(). The images in the files may come in any order. For a folder of pictures it is that folder.
	Root string

	// Seed chooses the validation part; for shapes it draws all images.
	Seed int64

	// Train, Validation and Test limit the parts to their first images; 0 means all. For shapes they are the numbers of images
	// drawn; 0 means 8,000, 1,000 and 2,000.
	Train, Validation, Test int

	// Size is the side of the images wanted, in pixels; 0 means the set's own, see [Set.CheckSize].
	Size int

	// For folders of pictures only. Resize is short (the short side is scaled to Size and the centre cut out) or squeeze, "" for
	// short; EXIF is obey (pictures are turned upright) or leave, "" for obey. SkipDamaged calls the function of that name first.
	// Progress, if not nil, is called often with the numbers of pictures that are decoded and that there are in all.
	Resize      string
	EXIF        string
	SkipDamaged bool
	Progress    func(done, total int64, what string)
}

// Load reads (or draws) a set and splits it.
//
// The split depends only on the seed and on the order of the images in the files. For validation it takes 5,000 of the 50,000
// training images of a CIFAR set; of SVHN 400 images of each class in train_32x32.mat and 200 of each class in extra_32x32.mat,
// 6,000 in all. The test part is not split. Of a folder of pictures the split depends on the seed and the names of the files, so
// that a picture more or less leaves the others where they are.
//
// Errors are one sentence that says what to do: an unknown name, a missing, short or altered file, the wrong folder, a limit
// above the size of its part, a size that the set's images do not have.
func Load(name string, o Options) (*Data, error) { return LoadContext(context.Background(), name, o) }

// LoadContext is [Load], but stops packing a folder of pictures when ctx is cancelled.
func LoadContext(ctx context.Context, name string, o Options) (*Data, error) {
	set, err := Find(name)
	if err != nil {
		return nil, err
	}
	if o.Train < 0 || o.Validation < 0 || o.Test < 0 {
		return nil, fmt.Errorf("%s: the numbers of images (%d, %d, %d) must not be negative", name, o.Train, o.Validation, o.Test)
	}
	if err := set.CheckSize(o.Size); err != nil {
		return nil, err
	}
	if set.Own {
		return pictureSet{name}.load(ctx, o)
	}
	return set.load(o)
}

// Prepare does what Load must do before it can be quick: it packs a folder of pictures, until ctx is cancelled, and returns the
// notes about it. For other sets there is nothing to do.
func Prepare(ctx context.Context, name string, o Options) (notes []string, err error) {
	if !IsFolder(name) {
		return nil, nil
	}
	pack, err := pictureSet{name}.open(ctx, o)
	if err != nil {
		return nil, err
	}
	return pack.Notes, nil
}

// limited returns d with its parts cut to the requested numbers of images.
func (d *Data) limited(o Options) (*Data, error) {
	for _, part := range []struct {
		view *View
		n    int
		name string
	}{
		{&d.Train, o.Train, "training"},
		{&d.Validation, o.Validation, "validation"},
		{&d.Test, o.Test, "test"},
	} {
		if part.n > part.view.Len() {
			return nil, fmt.Errorf("%s: it has %s %s images, not the %s asked for: ask for fewer, or for 0 to take all",
				d.Name, say.Grouped(part.view.Len()), part.name, say.Grouped(part.n))
		}
		if part.n > 0 {
			*part.view = part.view.First(part.n)
		}
	}
	return d, nil
}

// Independent streams of random numbers derived from the one seed of a run.
const (
	streamSplit = 0x73706c6974 + iota // "split"
	streamShapesTrain
	streamShapesValidation
	streamShapesTest
)

func newRand(seed int64, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(splitmix.Mix(uint64(seed)^splitmix.Mix(stream)), splitmix.Mix(stream)))
}
