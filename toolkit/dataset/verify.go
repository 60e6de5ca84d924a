package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/say"
)

// Verify reads all that is on disk of a set under root ("" means DefaultRoot()) and reports, a line a
// finding: the folder, the numbers of images, the images of each class, and how far the content is
// known to be the official one. The images may come in any order. The error, one sentence, tells the
// first thing wrong; the report then has what was found before it.
func Verify(name, root string) (report []string, err error) {
	if root == "" {
		root = DefaultRoot()
	}
	switch name {
	case "shapes":
		return []string{"shapes are drawn when they are needed: there is nothing on disk to verify"}, nil
	case cifar10.name:
		return cifar10.verify(root)
	case cifar100.name:
		return cifar100.verify(root)
	case svhn.name:
		return svhn.verify(root)
	}
	_, err = Find(name)
	return nil, err
}

func (c cifar) verify(root string) (report []string, err error) {
	dir, err := c.find(root)
	if err != nil {
		return nil, err
	}
	report = append(report, "folder: "+dir)
	listed, err := c.verifySums(dir)
	if err != nil {
		return report, err
	}
	training, test, err := c.read(dir)
	if err != nil {
		return report, err
	}
	report = append(report, fmt.Sprintf("images: %s for training, %s for test; sizes and labels are in order",
		say.Grouped(training.Len()), say.Grouped(test.Len())))

	inTraining, inTest := NewView(training).Counts(len(c.classes)), NewView(test).Counts(len(c.classes))
	for class, name := range c.classes {
		if inTraining[class] != training.Len()/len(c.classes) || inTest[class] != test.Len()/len(c.classes) {
			return report, c.brokenFolder(dir, fmt.Sprintf("has %d training and %d test images of class %s instead of %d and %d, so it is altered",
				inTraining[class], inTest[class], name, training.Len()/len(c.classes), test.Len()/len(c.classes)))
		}
	}
	report = append(report, fmt.Sprintf("classes: %d, each with %s and %s images",
		len(c.classes), say.Grouped(training.Len()/len(c.classes)), say.Grouped(test.Len()/len(c.classes))))

	switch {
	case listed:
		report = append(report, "content: the SHA-256 of every file is the one in "+sumsFile)
	case c.content == [2]uint64{}:
		report = append(report, "content: there is no "+sumsFile+" to hold the files against")
	case c.content == [2]uint64{content(training), content(test)}:
		report = append(report, "content: each image and label is the official one; their order is not known to be")
	default:
		return report, c.brokenFolder(dir, "has files of the right form, but an image or label in them is not "+c.title+"'s, so it is altered")
	}
	return report, nil
}

// content is a checksum of the images and labels that does not depend on their order.
func content(m *Images) uint64 {
	var total uint64
	record := make([]byte, imageBytes+1)
	for i, label := range m.Labels {
		record[0] = label
		copy(record[1:], m.Pixels[i*imageBytes:])
		hash := sha256.Sum256(record)
		total += binary.LittleEndian.Uint64(hash[:])
	}
	return total
}

func (s svhnSet) verify(root string) (report []string, err error) {
	dir, err := s.find(root)
	if err != nil {
		return nil, err
	}
	report = append(report, "folder: "+dir)
	listed, err := s.verifySums(dir)
	if err != nil {
		return report, err
	}
	for _, from := range sources()[s.name].remotes {
		images, err := s.readFile(filepath.Join(dir, from.name), nil)
		if err != nil {
			return report, err
		}
		line := fmt.Sprintf("%s: %s images; digits 0 to 9: %s", from.name, say.Grouped(images.Len()), groupedList(NewView(images).Counts(len(digits))))
		md5, _, err := hashFile(context.Background(), filepath.Join(dir, from.name))
		if err != nil {
			return report, fmt.Errorf("%s: %w", s.name, err)
		}
		if md5 == from.md5 {
			line += "; the official file"
		} else {
			line += "; not the official file, perhaps its images in another order"
		}
		report = append(report, line)
	}
	if listed {
		report = append(report, "content: the SHA-256 of every file is the one in "+sumsFile)
	}
	return report, nil
}

// verifySums holds all files of the list of checksums against it; complete tells whether the list
// covers the files of the set.
func (f folder) verifySums(dir string) (complete bool, err error) {
	sums, err := readSums(dir)
	if err != nil {
		return false, fmt.Errorf("%s: %w", f.name, err)
	}
	for name := range sums {
		path := filepath.Join(dir, name)
		if !filepath.IsLocal(name) || !isFile(path) {
			return false, fmt.Errorf("%s: %s lists %q, which is not there: %s", f.name, filepath.Join(dir, sumsFile), name, f.remedy())
		}
		_, sha, err := hashFile(context.Background(), path)
		if err != nil {
			return false, fmt.Errorf("%s: %w", f.name, err)
		}
		if !sums.allow(path, sha) {
			return false, f.altered(path)
		}
	}
	return !slices.ContainsFunc(f.files, func(file string) bool { _, listed := sums[file]; return !listed }), nil
}

func groupedList(counts []int) string {
	words := make([]string, len(counts))
	for i, n := range counts {
		words[i] = say.Grouped(n)
	}
	return strings.Join(words, ", ")
}
