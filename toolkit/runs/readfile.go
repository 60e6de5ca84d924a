package runs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"
)

// The largest files that are read as a whole; what is longer is not a file of this project.
const (
	LargestText = 16 << 20  // of JSON, bytes
	largestLog  = 256 << 20 // two million rows
)

// ReadFile reads a file of at most so many bytes. Folders, devices and pipes are refused, and nothing waits for them.
func ReadFile(path string, most int64) ([]byte, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	var data bytes.Buffer
	data.Grow(int(min(info.Size(), most)) + bytes.MinRead) // one allocation
	if _, err := data.ReadFrom(io.LimitReader(file, most+1)); err != nil {
		return nil, err
	}
	if int64(data.Len()) > most {
		return nil, fmt.Errorf("%s has more than %d bytes, the most that such a file may have", path, most)
	}
	return data.Bytes(), nil
}

// openRegular opens a file for reading if it is a regular one, or a link to one.
func openRegular(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // else a pipe waits for its writer
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

// CheckFile says in one sentence why path cannot be written as a file: it is there and is a folder, a device or a pipe,
// or a link to one or to nothing. A regular file may be replaced.
func CheckFile(path string) error {
	if _, err := os.Lstat(path); err != nil {
		return nil // writing it will tell
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
