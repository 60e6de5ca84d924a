package dataset

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
)

// Format is the shape of images, [Height, Width, Channels].
type Format struct{ Height, Width, Channels int }

// Bytes returns the size of an image, one byte for each pixel and channel.
func (f Format) Bytes() int { return f.Height * f.Width * f.Channels }

// Batch returns the shape of n images, [n, Height, Width, Channels].
func (f Format) Batch(n int) []int { return []int{n, f.Height, f.Width, f.Channels} }

// The images of CIFAR and SVHN, and of shapes if no other size is asked for.
const (
	side       = 32
	channels   = 3 // red, green, blue
	imageBytes = side * side * channels
)

var rgb32 = square(side)

// square is the format of colour images with size*size pixels.
func square(size int) Format { return Format{size, size, channels} }

// Images are decoded images in memory, from one file or generator.
type Images struct {
	Format Format
	Pixels []byte   // [n, height, width, channels], row-major: image, row, column, channel
	Labels []uint16 // [n], class of each image
	Files  []string // [n], path of each image's file in its folder; folders of pictures only, else nil
	sizes  []int64  // [n], of these files, in bytes
	Coarse []uint8  // [n], superclass of each image; CIFAR-100 only, else nil

	// Of pixels that are mapped from a file, whose path mapped is: release gives the memory of what was read back to the system.
	mapped  string
	release func()
	read    atomic.Int64 // bytes since the last release
}

// releaseAfter is how many bytes of mapped pixels are read before their memory is given back. The system brings more into
// memory than what is read, 64 KiB and more at a time, so that up to 20 times as much is held.
const releaseAfter = 4 << 20

// image returns the pixels of image i.
func (m *Images) image(i int) []byte {
	size := m.Format.Bytes()
	if m.release != nil && m.read.Add(int64(size)) > releaseAfter {
		m.read.Store(0)
		m.release()
	}
	return m.Pixels[i*size : (i+1)*size : (i+1)*size]
}

// Len returns the number of images, n.
func (m *Images) Len() int { return len(m.Labels) }

func newImages(n int, f Format) *Images {
	return &Images{Format: f, Pixels: make([]byte, n*f.Bytes()), Labels: make([]uint16, n)}
}

// View is an ordered selection of images from one or several [Images], without copies of their pixels. The zero View is empty.
// Views are read-only and safe for concurrent use.
type View struct {
	parts []*Images
	index []int32 // position in the concatenation of parts
}

// NewView returns the view of all images of parts, in order. It panics if they differ in format.
func NewView(parts ...*Images) View {
	n := 0
	for _, part := range parts {
		if part.Format != parts[0].Format {
			panic(fmt.Sprintf("dataset: images of %v beside images of %v", part.Format, parts[0].Format))
		}
		n += part.Len()
	}
	v := View{parts: parts, index: make([]int32, n)}
	for i := range v.index {
		v.index[i] = int32(i)
	}
	return v
}

// Len returns the number of images in the view.
func (v View) Len() int { return len(v.index) }

// Format returns the format of the view's images, or the zero Format for the zero view.
func (v View) Format() Format {
	if len(v.parts) == 0 {
		return Format{}
	}
	return v.parts[0].Format
}

// locate returns the part that has image i of the view, and its position there.
func (v View) locate(i int) (part *Images, at int) {
	at = int(v.index[i])
	for _, part = range v.parts {
		if at < part.Len() {
			return part, at
		}
		at -= part.Len()
	}
	panic(fmt.Sprintf("dataset: image %d lies beyond the view's images", i))
}

// Label returns the class of image i, from 0.
func (v View) Label(i int) int {
	part, at := v.locate(i)
	return int(part.Labels[at])
}

// Coarse returns the superclass of image i, 0..19, for CIFAR-100, and -1 for every other set.
func (v View) Coarse(i int) int {
	part, at := v.locate(i)
	if part.Coarse == nil {
		return -1
	}
	return int(part.Coarse[at])
}

// File returns the path of the file of image i in its folder of pictures, such as test/cat/7.jpg, and "" for other sets.
func (v View) File(i int) string {
	part, at := v.locate(i)
	if part.Files == nil {
		return ""
	}
	return part.Files[at]
}

// Image returns the pixels of image i, [height, width, channels], not copied: they must not be changed.
func (v View) Image(i int) []byte {
	part, at := v.locate(i)
	return part.image(at)
}

// Gather fills a batch with the images of the view at indices: pixels is [len(indices), height, width, channels] and labels is
// [len(indices)]. It panics if they are shorter or if an index is out of range. Only images of folders of pictures can give an
// error: their file may be cut short by another program.
func (v View) Gather(indices []int32, pixels []byte, labels []int32) error {
	size := v.Format().Bytes()
	return v.guard(func() {
		for k, i := range indices {
			part, at := v.locate(int(i))
			copy(pixels[k*size:(k+1)*size], part.image(at))
			labels[k] = int32(part.Labels[at])
		}
	})
}

// guard calls read, which reads images in this goroutine. That the file of mapped images is shorter than it was ends the process
// otherwise; here it is an error.
func (v View) guard(read func()) (err error) {
	if len(v.parts) > 0 && v.parts[0].mapped != "" {
		former := debug.SetPanicOnFault(true)
		defer func() {
			debug.SetPanicOnFault(former)
			reason := recover()
			if _, fault := reason.(interface{ Addr() uintptr }); fault {
				err = fmt.Errorf("%s, the file of the packed pictures, was cut short while it was read: "+
					"start the same command again, which packs them anew", v.parts[0].mapped)
			} else if reason != nil {
				panic(reason)
			}
		}()
	}
	read()
	return nil
}

// First returns the view of the first n images, or of all if there are fewer.
func (v View) First(n int) View {
	n = max(0, min(n, len(v.index)))
	return View{parts: v.parts, index: v.index[:n:n]}
}

// Counts returns the number of images of each class.
func (v View) Counts(classes int) []int {
	counts := make([]int, classes)
	for i := range v.index {
		counts[v.Label(i)]++
	}
	return counts
}

// splitPerClass is one of the sets of images to split, and the number of images of each class for validation.
type splitPerClass struct {
	images *Images
	count  int
}

// split shuffles all images by the seed and takes the first n for validation, as the authors' code does for CIFAR. Both views
// keep the shuffled order.
func split(seed int64, n int, images *Images) (train, validation View) {
	all := NewView(images)
	shuffle(seed, all.index)
	validation = all.First(n)
	train = View{parts: all.parts, index: all.index[n:]}
	return train, validation
}

// splitClasses shuffles all images by the seed and takes from each set the first images of each class for validation, as the
// authors' code does for SVHN. Both views keep the shuffled order.
func splitClasses(seed int64, classes int, sets ...splitPerClass) (train, validation View) {
	parts := make([]*Images, len(sets))
	setOf := make(map[*Images]int, len(sets))
	wanted := make([][]int, len(sets))
	total := 0
	for i, set := range sets {
		parts[i] = set.images
		setOf[set.images] = i
		wanted[i] = make([]int, classes)
		for class := range wanted[i] {
			wanted[i][class] = set.count
		}
		total += set.count * classes
	}
	all := NewView(parts...)
	shuffle(seed, all.index)
	validation = View{parts: parts, index: make([]int32, 0, total)}
	rest := all.index[:0] // filtered in place: writing never gets ahead of reading
	for i, position := range all.index {
		part, at := all.locate(i)
		if left := &wanted[setOf[part]][part.Labels[at]]; *left > 0 {
			*left--
			validation.index = append(validation.index, position)
			continue
		}
		rest = append(rest, position)
	}
	return View{parts: parts, index: rest[:len(rest):len(rest)]}, validation
}

func shuffle(seed int64, index []int32) {
	newRand(seed, streamSplit).Shuffle(len(index), func(i, j int) { index[i], index[j] = index[j], index[i] })
}
