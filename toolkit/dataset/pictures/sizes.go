package pictures

import (
	"bufio"
	"fmt"
	"image"
	"path/filepath"
	"runtime"
	"sync"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

// Sizes are those of the pictures of a class.
type Sizes struct {
	Bytes       int64
	Least, Most image.Point // width and height of the pictures with the fewest and the most pixels
	Unreadable  []string    // files whose first bytes show that they cannot be read, with the reason
}

// Sizes reads the first bytes of all pictures, as far as their widths and heights are known, and returns the sizes of each
// class, in all parts.
func (f *Folder) Sizes() []Sizes {
	classes := make([]Sizes, len(f.Classes))
	work := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for class := range work {
				for _, part := range f.Parts {
					for _, file := range part.Classes[class] {
						classes[class].add(f.Dir, file)
					}
				}
			}
		})
	}
	for class := range classes {
		work <- class
	}
	close(work)
	workers.Wait()
	return classes
}

func (s *Sizes) add(dir string, file File) {
	s.Bytes += file.Size
	size, err := sizeOf(filepath.Join(dir, file.Path))
	if err != nil {
		s.Unreadable = append(s.Unreadable, say.Shown(file.Path)+" "+err.Error())
		return
	}
	s.Join(Sizes{Least: size, Most: size})
}

// Join adds the sizes of other pictures, except for those that cannot be read.
func (s *Sizes) Join(other Sizes) {
	pixels := func(size image.Point) int { return size.X * size.Y }
	s.Bytes += other.Bytes
	if n := pixels(other.Least); n > 0 && (pixels(s.Least) == 0 || n < pixels(s.Least)) {
		s.Least = other.Least
	}
	if pixels(other.Most) > pixels(s.Most) {
		s.Most = other.Most
	}
}

// sizeOf returns the width and height of a picture that is not too large.
func sizeOf(path string) (image.Point, error) {
	file, err := files.OpenRegular(path)
	if err != nil {
		return image.Point{}, fmt.Errorf("cannot be read (%w)", cause(err))
	}
	defer file.Close()
	in := bufio.NewReader(file)
	begin, _ := in.Peek(8)
	d, err := decoderOf(begin)
	if err != nil {
		return image.Point{}, err
	}
	config, err := d.config(in)
	if err != nil {
		return image.Point{}, damage(err)
	}
	return image.Pt(config.Width, config.Height), checkSize(config)
}
