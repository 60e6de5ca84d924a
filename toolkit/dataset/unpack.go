package dataset

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

const (
	largestText    = 1 << 20   // of the texts in an archive
	largestArchive = 512 << 20 // unpacked
)

// unpack writes the files of a set's archive to the new folder dir, with a list of their checksums. It takes the known files,
// which must have their known sizes, and skips other plain files. It refuses an archive with an entry that points outside the
// folder, or is a link or a device.
func unpack(ctx context.Context, archive, dir string, src source) error {
	file, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("cannot open the archive: %w", err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(interruptible{ctx, file})
	if err != nil {
		return fmt.Errorf("cannot decompress %s: %w", archive, err)
	}
	if err := os.RemoveAll(dir); err != nil { // of a process that was killed
		return fmt.Errorf("cannot clear the folder to unpack to: %w", err)
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		return fmt.Errorf("cannot make the folder to unpack to: %w", err)
	}

	sums := checksums{}
	entries := tar.NewReader(io.LimitReader(unzipped, largestArchive))
	for {
		entry, err := entries.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", archive, err)
		}
		folder, name := path.Split(path.Clean(entry.Name))
		switch {
		case !filepath.IsLocal(filepath.FromSlash(entry.Name)):
			return fmt.Errorf("%s is refused: its entry %q points outside the folder", archive, entry.Name)
		case entry.Typeflag == tar.TypeDir:
			continue
		case entry.Typeflag != tar.TypeReg:
			return fmt.Errorf("%s is refused: its entry %q is neither a file nor a folder", archive, entry.Name)
		}
		size, known := src.sizes[name]
		if !known || path.Clean(folder) != src.dir {
			continue
		}
		if size > 0 && entry.Size != size {
			return fmt.Errorf("%s is refused: its entry %q has %s bytes instead of %s",
				archive, entry.Name, say.Grouped(entry.Size), say.Grouped(size))
		}
		if size == 0 && entry.Size > largestText {
			return fmt.Errorf("%s is refused: its entry %q has %s bytes, too many for a text",
				archive, entry.Name, say.Grouped(entry.Size))
		}
		if _, twice := sums[name]; twice {
			return fmt.Errorf("%s is refused: it has %q twice", archive, entry.Name)
		}
		sums[name], err = writeEntry(filepath.Join(dir, name), entries)
		if err != nil {
			return fmt.Errorf("cannot unpack %s: %w", name, err)
		}
	}
	if missing := src.missing(dir); len(missing) > 0 {
		return fmt.Errorf("%s does not contain %s", archive, missing[0])
	}
	return files.Write(filepath.Join(dir, sumsFile), []byte(sums.String()))
}

func writeEntry(path string, data io.Reader) (sha [32]byte, err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return sha, err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(file, hash), data); err != nil {
		return sha, err
	}
	if err := file.Sync(); err != nil {
		return sha, err
	}
	return [32]byte(hash.Sum(nil)), file.Close()
}
