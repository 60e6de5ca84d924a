package pictures

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"stochdepth/toolkit/internal/files"
)

// Pack is the images of a folder, mapped from a file: the system reads a page when it is needed, and may forget it again.
type Pack struct {
	Path    string
	Classes []string
	Parts   []Images
	Damaged []damagedFile // passed over
	Notes   []string      // a sentence about each thing that the user should know

	mapped []byte
}

// Images are the images of a part, in the order of the classes.
type Images struct {
	Name   string // Training, Validation or Test
	Counts []int  // images of each class
	Pixels []byte // [n, side, side, 3]; they must not be changed

	Files []string // [n], the path of each image's file, relative to the folder
	Sizes []int64  // [n], of each file, in bytes
}

// name takes the names of the classes, and of the file of each image, from the folder that was packed.
func (p *Pack) name(folder *Folder) {
	p.Classes = folder.Classes
	damaged := map[string]bool{}
	for _, file := range p.Damaged {
		damaged[string(file.Path)] = true
	}
	for i, part := range folder.Parts {
		for _, class := range part.Classes {
			for _, file := range class {
				if !damaged[file.Path] {
					p.Parts[i].Files = append(p.Parts[i].Files, file.Path)
					p.Parts[i].Sizes = append(p.Parts[i].Sizes, file.Size)
				}
			}
		}
	}
}

// openPack maps a pack. It returns nil if there is none of this digest and format, or one that is not whole: it is to be made.
func openPack(path, digest string, s Settings) (*Pack, error) {
	file, err := files.OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the packed pictures: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the packed pictures: %w", err)
	}
	size := info.Size()
	if size < page+int64(footer) {
		return nil, nil
	}
	first := make([]byte, page)
	if _, err := file.ReadAt(first, 0); err != nil {
		return nil, fmt.Errorf("cannot read the packed pictures: %w", err)
	}
	if !bytes.Equal(first, header(digest)) {
		return nil, nil
	}
	// The mapping stays as long as the process, since views of its images may.
	mapped, err := unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("cannot map %s into memory: %w", path, err)
	}
	_ = unix.Madvise(mapped, unix.MADV_RANDOM)     // or the system reads far ahead of each image, in vain where memory is short
	_ = unix.Madvise(mapped, unix.MADV_NOHUGEPAGE) // or 2 MB come into memory with each image; not every system knows it
	p := &Pack{Path: path, mapped: mapped}
	if !p.read(mapped, s) {
		unix.Munmap(mapped)
		return nil, nil
	}
	return p, nil
}

// Release gives the memory of pages that were read back to the system, which reads them again, from its cache or the disk, when
// they are needed. The images stay valid.
func (p *Pack) Release() { _ = unix.Madvise(p.mapped, unix.MADV_DONTNEED) }

// read finds the images in a mapped pack and reports whether it is whole.
func (p *Pack) read(mapped []byte, s Settings) bool {
	end := mapped[len(mapped)-footer:]
	length := binary.LittleEndian.Uint64(end)
	if string(end[footer-len(mark):]) != mark || length > uint64(len(mapped)-page-footer) {
		return false
	}
	images := mapped[page : len(mapped)-footer-int(length)]
	var c contents
	if json.Unmarshal(mapped[len(mapped)-footer-int(length):len(mapped)-footer], &c) != nil {
		return false
	}
	p.Damaged, p.Notes = c.Damaged, c.Notes
	for _, part := range c.Parts {
		n := 0
		for _, count := range part.Images {
			if count < 0 || count > len(images)/s.bytes()-n {
				return false
			}
			n += count
		}
		if len(part.Images) != c.Classes {
			return false
		}
		p.Parts = append(p.Parts, Images{Name: part.Name, Counts: part.Images, Pixels: images[: n*s.bytes() : n*s.bytes()]})
		images = images[n*s.bytes():]
	}
	return len(images) == 0
}
