package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

// Verify reads all files of a set under root ("" means DefaultRoot()) and reports, one line for each finding: the folder, the
// numbers of images, the images of each class, and how well the content is known to be the official one. The images may come
// in any order. The error is one sentence about the first problem; the report then has what was found before it.
func Verify(name, root string) (report []string, err error) {
	set, err := Find(name)
	if err != nil {
		return nil, err
	}
	if set.Drawn {
		return []string{name + " are drawn when they are needed: there is nothing on disk to verify"}, nil
	}
	return set.verify(root)
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

	classes := len(c.classes)
	inTraining, inTest := NewView(training).Counts(classes), NewView(test).Counts(classes)
	trainingEach, testEach := training.Len()/classes, test.Len()/classes
	for class, name := range c.classes {
		if inTraining[class] != trainingEach || inTest[class] != testEach {
			return report, c.brokenFolder(dir, fmt.Sprintf("has %d training and %d test images of class %s instead of %d and %d, "+
				"so it is altered", inTraining[class], inTest[class], name, trainingEach, testEach))
		}
	}
	report = append(report, fmt.Sprintf("classes: %d, each with %s and %s images",
		classes, say.Grouped(trainingEach), say.Grouped(testEach)))

	switch {
	case listed:
		report = append(report, allListed)
	case c.content == [2]uint64{}:
		report = append(report, "content: there is no "+sumsFile+" to check the files")
	case c.content == [2]uint64{content(training), content(test)}:
		report = append(report, "content: each image and label is the official one; their order may differ")
	default:
		return report, c.brokenFolder(dir,
			"has files of the right form, but an image or label in them is not "+c.title+"'s, so it is altered")
	}
	return report, nil
}

const allListed = "content: the SHA-256 of every file is the one in " + sumsFile

// content returns a checksum of the images and labels that does not depend on their order.
func content(m *Images) uint64 {
	var total uint64
	record := make([]byte, imageBytes+1)
	for i, label := range m.Labels {
		record[0] = byte(label)
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
		images, err := s.readFile(filepath.Join(dir, from.name()), nil)
		if err != nil {
			return report, err
		}
		line := fmt.Sprintf("%s: %s images; digits 0 to 9: %s",
			from.name(), say.Grouped(images.Len()), groupedList(NewView(images).Counts(len(digits))))
		md5, _, err := hashFile(context.Background(), filepath.Join(dir, from.name()))
		if err != nil {
			return report, fmt.Errorf("%s: %w", s.name, err)
		}
		if md5 == from.md5 {
			line += "; the official file"
		} else {
			line += "; not the official file, perhaps in another order"
		}
		report = append(report, line)
	}
	if listed {
		report = append(report, allListed)
	}
	return report, nil
}

// verifySums checks all files in the list of checksums; complete says whether the list has all files of the set.
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

// sumsFile lists the SHA-256 of a folder's files in the format of sha256sum. [Get] writes it; if it is there, [Load] and
// [Verify] check the files against it.
const sumsFile = "SHA256SUMS"

// checksums maps file names to SHA-256.
type checksums map[string][32]byte

// readSums reads the checksums of a folder; without a list it returns nil.
func readSums(dir string) (checksums, error) {
	path := filepath.Join(dir, sumsFile)
	data, err := files.ReadText(path, files.LargestText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of checksums: %w", err)
	}
	sums := checksums{}
	for line := range strings.Lines(string(data)) {
		digits, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if digits == "" {
			continue
		}
		name = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(name), "*"), "./")
		sum, err := hex.DecodeString(digits)
		if err != nil || len(sum) != 32 || name == "" {
			return nil, fmt.Errorf("%s has a line that is no SHA-256 and file name: remove the list or make it again with sha256sum", path)
		}
		sums[name] = [32]byte(sum)
	}
	return sums, nil
}

// allow reports whether the SHA-256 of a file is the listed one, or none is listed.
func (s checksums) allow(path string, sum [32]byte) bool {
	want, listed := s[filepath.Base(path)]
	return !listed || want == sum
}

// altered is the error for a file that differs from the list.
func (f folder) altered(path string) error {
	return f.broken(path, "was altered, as its SHA-256 is not the one in "+sumsFile)
}

// String formats the list as sha256sum does.
func (s checksums) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%x  %s\n", s[name], name)
	}
	return b.String()
}
