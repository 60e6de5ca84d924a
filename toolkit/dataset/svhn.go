package dataset

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"stochdepth/toolkit/internal/say"
)

// svhnSet is SVHN, format 2 (cropped digits): MAT files with X, uint8 [32, 32, 3, n], and y, [n, 1],
// where label 10 stands for digit 0.
type svhnSet struct {
	folder
	images    map[string]int // number of images in each file
	fromTrain int            // validation images of each class from the training file
	fromExtra int            // the same from the extra file
}

const (
	svhnTrain = "train_32x32.mat"
	svhnExtra = "extra_32x32.mat"
	svhnTest  = "test_32x32.mat"
)

var svhn = svhnSet{
	folder: folder{
		name: "svhn", title: "SVHN", dir: "svhn",
		files: []string{svhnTrain, svhnExtra, svhnTest},
	},
	images:    map[string]int{svhnTrain: 73_257, svhnExtra: 531_131, svhnTest: 26_032},
	fromTrain: 400,
	fromExtra: 200,
}

var digits = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

func (s svhnSet) load(o Options) (*Data, error) {
	dir, err := s.find(o.Root)
	if err != nil {
		return nil, err
	}
	sums, err := readSums(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	read := make([]*Images, len(s.files))
	errs := make([]error, len(s.files))
	var files sync.WaitGroup
	for i, file := range s.files {
		files.Go(func() { read[i], errs[i] = s.readFile(filepath.Join(dir, file), sums) })
	}
	files.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	train, extra, test := read[0], read[1], read[2]
	d := &Data{Name: s.name, Classes: digits, Test: NewView(test)}
	for _, part := range []struct {
		file   string
		images *Images
		count  int
	}{{svhnTrain, train, s.fromTrain}, {svhnExtra, extra, s.fromExtra}} {
		if fewest := slices.Min(NewView(part.images).Counts(len(digits))); fewest < part.count {
			return nil, s.broken(filepath.Join(dir, part.file), fmt.Sprintf("has only %d images of a digit, "+
				"fewer than the %d for validation, so it is not the official file", fewest, part.count))
		}
	}
	d.Train, d.Validation = splitClasses(o.Seed, len(digits), splitPerClass{train, s.fromTrain}, splitPerClass{extra, s.fromExtra})
	return d.limited(o)
}

// readFile decodes one file. The pixels are decompressed directly into the slice that keeps them.
func (s svhnSet) readFile(path string, sums checksums) (*Images, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot open the file: %w", s.name, err)
	}
	defer file.Close()

	var in io.Reader = file
	hash := sha256.New()
	if _, listed := sums[filepath.Base(path)]; listed {
		in = io.TeeReader(file, hash)
	}
	images, readErr := readSVHN(in, s.images[filepath.Base(path)])
	if in != file {
		// Also after an error: the checksum gives the better reason.
		if _, err := io.Copy(hash, file); err != nil {
			return nil, fmt.Errorf("%s: cannot read %s: %w", s.name, path, err)
		}
		if !sums.allow(path, [32]byte(hash.Sum(nil))) {
			return nil, s.altered(path)
		}
	}
	if readErr != nil {
		return nil, s.broken(path, readErr.Error())
	}
	return images, nil
}

// readSVHN reads a MAT file that must hold n images. Its errors are clauses about the file.
func readSVHN(in io.Reader, n int) (*Images, error) {
	images := &Images{Format: rgb32}
	err := readMAT(in, func(array matArray) error {
		switch array.name {
		case "X":
			if !slices.Equal(array.dims, []int{side, side, channels, n}) || array.kind != matUint8 {
				return fmt.Errorf("has X of dimensions %v and type %d instead of bytes [32 32 3 %d]", array.dims, array.kind, n)
			}
			images.Pixels = make([]byte, n*imageBytes)
			return readColumnMajor(array.data, images.Pixels)
		case "y":
			if !slices.Equal(array.dims, []int{n, 1}) {
				return fmt.Errorf("has y of dimensions %v instead of [%d 1]", array.dims, n)
			}
			values, err := array.numbers()
			if err != nil {
				return err
			}
			images.Labels = make([]uint16, n)
			for i, y := range values {
				if !(y >= 1 && y <= 10) || y != float64(int(y)) {
					return fmt.Errorf("has label %v at image %s, not one of 1..10, so it is altered", y, say.Grouped(i))
				}
				images.Labels[i] = uint16(y) % 10
			}
		}
		return nil
	})
	if err == nil && (images.Pixels == nil || images.Labels == nil) {
		err = errors.New("does not hold both X and y, the images and labels of SVHN")
	}
	return images, err
}

// readColumnMajor reads images stored in MATLAB's order, where the row index runs fastest, then column, channel, image, into
// pixels [n, 32, 32, 3].
func readColumnMajor(in io.Reader, pixels []byte) error {
	var raw [imageBytes]byte
	for ; len(pixels) > 0; pixels = pixels[imageBytes:] {
		if _, err := io.ReadFull(in, raw[:]); err != nil {
			return noEOF(err)
		}
		for column := range side {
			for row := range side {
				from, to := column*side+row, (row*side+column)*channels
				pixels[to] = raw[from]
				pixels[to+1] = raw[from+side*side]
				pixels[to+2] = raw[from+2*side*side]
			}
		}
	}
	return nil
}
