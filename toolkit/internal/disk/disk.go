// Package disk makes the changes to the files of a run, one at a time. It is thin: its purpose is that a test can see a
// run's folder as a crash after any change would leave it, and can make a change fail as on a full disk or on a file system
// without hard links.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
)

// Observer is called for every change. Operations have the names of this package's functions, in lower case.
type Observer struct {
	Before func(operation, path string) error // if it returns an error, the change fails with it
	After  func(operation, path string)       // called after a change that succeeded
}

var observer atomic.Pointer[Observer]

// Observe makes o the observer of all changes, until end is called. It is for tests.
func Observe(o Observer) (end func()) {
	observer.Store(&o)
	return func() { observer.Store(nil) }
}

// Change makes a change and calls the observer. Other packages use it for what they write without this one.
func Change(operation, path string, change func() error) error {
	o := observer.Load()
	if o != nil && o.Before != nil {
		if err := o.Before(operation, path); err != nil {
			return &fs.PathError{Op: operation, Path: path, Err: err}
		}
	}
	if err := change(); err != nil {
		return err
	}
	if o != nil && o.After != nil {
		o.After(operation, path)
	}
	return nil
}

// Files and folders get these permissions, less those that the umask removes: users of one group can share them.
const filePermissions, folderPermissions = 0o666, 0o777

// MkdirAll is os.MkdirAll.
func MkdirAll(path string) error {
	return Change("mkdirall", path, func() error { return os.MkdirAll(path, folderPermissions) })
}

// CreateTemp is os.CreateTemp for a pattern with a star, but others may read the file as the umask allows.
func CreateTemp(dir, pattern string) (file *os.File, err error) {
	star := strings.LastIndexByte(pattern, '*')
	err = Change("createtemp", filepath.Join(dir, pattern), func() error {
		for range 10_000 {
			name := pattern[:star] + strconv.FormatUint(uint64(rand.Uint32()), 10) + pattern[star+1:]
			file, err = os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, filePermissions)
			if !errors.Is(err, fs.ErrExist) {
				break
			}
		}
		return err
	})
	return file, err
}

// CreateNew creates a file. If there is one already, the error is fs.ErrExist.
func CreateNew(path string) (file *os.File, err error) {
	err = Change("createnew", path, func() error {
		file, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, filePermissions)
		return err
	})
	return file, err
}

// Write writes data at the file's current position.
func Write(file *os.File, data []byte) error {
	return Change("write", file.Name(), func() error {
		_, err := file.Write(data)
		return err
	})
}

// Writer makes a file's Write an [io.Writer].
func Writer(file *os.File) io.Writer { return writer{file} }

type writer struct{ file *os.File }

func (w writer) Write(data []byte) (int, error) {
	if err := Write(w.file, data); err != nil {
		return 0, err
	}
	return len(data), nil
}

// Truncate is file.Truncate.
func Truncate(file *os.File, size int64) error {
	return Change("truncate", file.Name(), func() error { return file.Truncate(size) })
}

// Rename is os.Rename; the observer gets the new path.
func Rename(from, to string) error {
	return Change("rename", to, func() error { return os.Rename(from, to) })
}

// Link is os.Link; the observer gets the new path.
func Link(from, to string) error {
	return Change("link", to, func() error { return os.Link(from, to) })
}

// LinkOrCopy gives a file a second name, or copies it on a file system without hard links.
func LinkOrCopy(from, to string) error {
	if Link(from, to) == nil {
		return nil
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	file, err := CreateNew(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(Writer(file), source)
	return errors.Join(err, file.Sync(), file.Close())
}

// Remove is os.Remove.
func Remove(path string) error {
	return Change("remove", path, func() error { return os.Remove(path) })
}

// RemoveAll removes path and everything below it, one at a time. It is no error if there is nothing.
func RemoveAll(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		child := filepath.Join(path, entry.Name())
		if entry.IsDir() {
			err = RemoveAll(child)
		} else {
			err = Remove(child)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Sync makes changes in a folder, such as a rename, survive a power cut. Some file systems cannot do this; the change is
// made all the same, so no error is returned.
func Sync(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
