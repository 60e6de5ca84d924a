package files

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// LargestText is the size in bytes of the largest text that is read as a whole, except for the logs of runs; a longer one
// is not a file of this project.
const LargestText = 16 << 20

// Read reads a file of up to most bytes. Folders, devices and pipes are errors, and nothing waits for them.
func Read(path string, most int64) ([]byte, error) {
	file, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, tooLong(path, most)
	}
	const gigabyte = 1e9
	if info.Size() > gigabyte/10 {
		if free := FreeMemory(); free > 0 && info.Size() > free {
			return nil, fmt.Errorf("%s has %.1f GB, and this machine has %.1f GB of memory left: end other programs, or take a machine "+
				"with more",
				path, float64(info.Size())/gigabyte, float64(free)/gigabyte)
		}
	}
	var data bytes.Buffer
	data.Grow(int(min(info.Size(), most)) + bytes.MinRead) // one allocation
	if _, err := data.ReadFrom(io.LimitReader(file, most+1)); err != nil {
		return nil, err
	}
	if int64(data.Len()) > most {
		return nil, tooLong(path, most) // it has grown
	}
	return data.Bytes(), nil
}

func tooLong(path string, most int64) error {
	return fmt.Errorf("%s has more than %d bytes, the most that such a file may have", path, most)
}

// ReadText is Read for a text; it removes the byte-order mark that editors on Windows put before a text.
func ReadText(path string, most int64) ([]byte, error) {
	data, err := Read(path, most)
	return bytes.TrimPrefix(data, []byte("\ufeff")), err
}

// OpenRegular opens a file for reading if it is a regular file, or a link to one.
func OpenRegular(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // otherwise opening a pipe waits for its writer
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// Check says in one sentence why path cannot be written as a file: it is a folder, a device or a pipe, or a link to one of
// these or to nothing. A regular file may be replaced.
func Check(path string) error {
	if _, err := os.Lstat(path); err != nil {
		return nil // it may be missing, and writing it shows anything worse
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		err = fmt.Errorf("%s is a link to what is not there: remove it, or write to another file", path)
	case info.IsDir():
		err = fmt.Errorf("%s is a folder: name a file in it", path)
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is no regular file and is left as it is: write to another one", path)
	default:
		return nil
	}
	return writeError{sentence: err}
}

// CheckThere is Check for a file whose folder is not made: a missing folder is an error too. No path is no error.
func CheckThere(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return writeError{sentence: fmt.Errorf("%s: there is no folder %s: make it first", path, filepath.Dir(path))}
	}
	return Check(path)
}
