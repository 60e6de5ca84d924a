package dataset

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"stochdepth/toolkit/internal/say"
)

// cifar is one of the CIFAR sets in the official binary version. Its last file has the test images, the others have the
// training images. A record is the label bytes, one or (CIFAR-100) coarse and fine, then the red, green and blue planes of the
// image, each row by row.
type cifar struct {
	folder
	classes    []string
	coarse     int            // number of superclasses; 0: the record has no coarse label
	records    map[string]int // number of images in each file
	validation int
	content    [2]uint64 // checksum of the official training and test images, in any order; 0: not known
}

var cifar10 = cifar{
	folder: folder{
		name: "cifar10", title: "CIFAR-10", dir: "cifar-10-batches-bin", archive: true,
		files: []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
			"test_batch.bin"},
	},
	classes: []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
	records: map[string]int{"data_batch_1.bin": 10_000, "data_batch_2.bin": 10_000, "data_batch_3.bin": 10_000,
		"data_batch_4.bin": 10_000, "data_batch_5.bin": 10_000, "test_batch.bin": 10_000},
	validation: 5_000,
	content:    [2]uint64{0x37ae9babfccd7d6a, 0xb054a1cb0d5af8ef},
}

var cifar100 = cifar{
	folder: folder{
		name: "cifar100", title: "CIFAR-100", dir: "cifar-100-binary", archive: true,
		files: []string{"train.bin", "test.bin"},
	},
	classes:    cifar100Classes,
	coarse:     20,
	records:    map[string]int{"train.bin": 50_000, "test.bin": 10_000},
	validation: 5_000,
	content:    [2]uint64{0xbca1567bdf0449ed, 0xddb5be0150e3a56a},
}

func (c cifar) load(o Options) (*Data, error) {
	dir, err := c.find(o.Root)
	if err != nil {
		return nil, err
	}
	training, test, err := c.read(dir)
	if err != nil {
		return nil, err
	}
	d := &Data{Name: c.name, Classes: c.classes, Test: NewView(test), Augment: true}
	d.Train, d.Validation = split(o.Seed, c.validation, training)
	return d.limited(o)
}

// read returns all training images, in the order of the files, and the test images.
func (c cifar) read(dir string) (training, test *Images, err error) {
	sums, err := readSums(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.name, err)
	}
	inTraining, inTest := c.images()
	training, test = c.newImages(inTraining), c.newImages(inTest)
	from := 0
	for _, file := range c.files {
		to := test
		if from < inTraining {
			to = training.from(from)
		}
		if err := c.readFile(filepath.Join(dir, file), sums, to); err != nil {
			return nil, nil, err
		}
		from += c.records[file]
	}
	return training, test, nil
}

// images returns the numbers of training and of test images.
func (c cifar) images() (training, test int) {
	last := len(c.files) - 1
	for _, file := range c.files[:last] {
		training += c.records[file]
	}
	return training, c.records[c.files[last]]
}

func (c cifar) newImages(n int) *Images {
	images := newImages(n, rgb32)
	if c.coarse > 0 {
		images.Coarse = make([]uint8, n)
	}
	return images
}

// from returns the images from i on, sharing memory.
func (m *Images) from(i int) *Images {
	rest := &Images{Format: m.Format, Pixels: m.Pixels[i*imageBytes:], Labels: m.Labels[i:]}
	if m.Coarse != nil {
		rest.Coarse = m.Coarse[i:]
	}
	return rest
}

// readFile decodes one file into the first images of to.
func (c cifar) readFile(path string, sums checksums, to *Images) error {
	data, err := c.readRecords(path)
	if err != nil {
		return err
	}
	if !sums.allow(path, sha256.Sum256(data)) {
		return c.altered(path)
	}
	size := c.recordBytes()
	for i := range len(data) / size {
		record := data[i*size : (i+1)*size]
		fine := record[size-imageBytes-1]
		if int(fine) >= len(c.classes) {
			return c.broken(path, fmt.Sprintf("has label %d at image %s, beyond 0..%d, so it is altered or of another set",
				fine, say.Grouped(i), len(c.classes)-1))
		}
		to.Labels[i] = uint16(fine)
		if c.coarse > 0 {
			if int(record[0]) >= c.coarse {
				return c.broken(path, fmt.Sprintf("has coarse label %d at image %s, beyond 0..%d, so it is altered or of another set",
					record[0], say.Grouped(i), c.coarse-1))
			}
			to.Coarse[i] = record[0]
		}
		interleave(record[size-imageBytes:], to.Pixels[i*imageBytes:(i+1)*imageBytes])
	}
	return nil
}

// recordBytes returns the size of a record: the labels and the image.
func (c cifar) recordBytes() int {
	if c.coarse > 0 {
		return 2 + imageBytes
	}
	return 1 + imageBytes
}

// readRecords reads a file after checking its size.
func (c cifar) readRecords(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot open the file: %w", c.name, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: cannot read the file: %w", c.name, err)
	}
	size, record := info.Size(), int64(c.recordBytes())
	if size%record != 0 {
		return nil, c.broken(path, fmt.Sprintf("has %s bytes, no whole number of records of %s, so it is cut short or of another set",
			say.Grouped(size), say.Grouped(record)))
	}
	if want := c.records[filepath.Base(path)]; size/record != int64(want) {
		return nil, c.broken(path, fmt.Sprintf("has %s images instead of %s", say.Grouped(size/record), say.Grouped(want)))
	}
	var data bytes.Buffer
	data.Grow(int(size) + bytes.MinRead) // one allocation
	if _, err := data.ReadFrom(io.LimitReader(file, size)); err != nil {
		return nil, fmt.Errorf("%s: cannot read %s: %w", c.name, path, err)
	}
	return data.Bytes(), nil
}

// interleave turns planes [3, 32, 32] into pixels [32, 32, 3].
func interleave(planes, pixels []byte) {
	const plane = side * side
	for p := range plane {
		pixels[channels*p] = planes[p]
		pixels[channels*p+1] = planes[plane+p]
		pixels[channels*p+2] = planes[2*plane+p]
	}
}

// cifar100Classes are the fine labels in the official order, which is alphabetical.
var cifar100Classes = []string{
	"apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
	"bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
	"chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
	"dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard",
	"lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
	"mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
	"plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket",
	"rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
	"squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor",
	"train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
}
