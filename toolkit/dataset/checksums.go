package dataset

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/files"
)

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
