// Package files writes files whole or not at all, reads only regular files of a sensible size, and says in one sentence
// what to do when that fails.
package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"stochdepth/toolkit/internal/disk"
)

// Write writes data to path, whole or not at all: after a failure or a crash the file is as it was before. The folder must
// exist. A full disk gives a sentence that says so.
func Write(path string, data []byte) error {
	return WriteFrom(path, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	})
}

// Make is Write for a file whose folder may be missing: it makes the folder.
func Make(path string, data []byte) error {
	if err := disk.MkdirAll(filepath.Dir(path)); err != nil {
		return WriteError(path, err)
	}
	return Write(path, data)
}

// WriteFrom is Write for data that is better written piece by piece: write gets the temporary file, which takes its final
// name only after write and the flush to disk have succeeded. If path is anything but a regular file, that is an error, see
// Check; if it is a link to a file, the link stays and the file is replaced.
func WriteFrom(path string, write func(io.Writer) error) (err error) {
	if err := Check(path); err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() { // a link to a file
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	dir := filepath.Dir(path)
	file, err := disk.CreateTemp(dir, Temporary(filepath.Base(path)))
	if err != nil {
		return WriteError(path, err)
	}
	if info, err := file.Stat(); err == nil {
		RemoveLeft(dir, Temporary(filepath.Base(path)), leftLong, info.ModTime())
	}
	defer func() {
		if err != nil {
			file.Close()
			disk.Remove(file.Name())
			err = WriteError(path, err)
		}
	}()
	if err = write(disk.Writer(file)); err != nil {
		return err
	}
	if err = file.Sync(); err != nil {
		return err
	}
	if err = file.Close(); err != nil {
		return err
	}
	if err = disk.Rename(file.Name(), path); err != nil {
		return err
	}
	disk.Sync(dir)
	return nil
}

// WriteError turns the error of writing path into a sentence that says what to do about a full disk, a missing
// folder or a lack of permission. It keeps the cause for errors.Is, and nil stays nil. If err comes from WriteError, its
// sentence is replaced, not repeated: the last path counts.
func WriteError(path string, err error) error {
	var earlier writeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &earlier) && earlier.cause == nil: // from Check, which says it all
		return err
	case errors.As(err, &earlier):
		err = earlier.cause
	}
	return writeError{writeSentence(path, err), err}
}

// writeError is an error from WriteError or Check.
type writeError struct{ sentence, cause error }

func (e writeError) Error() string { return e.sentence.Error() }

func (e writeError) Unwrap() error { return e.cause }

func writeSentence(path string, err error) error {
	var reason *fs.PathError
	if errors.As(err, &reason) {
		err = reason.Err // its path is a temporary name
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w while writing %s: free some space and start the same command again", err, path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot write %s, its folder is missing: %w", path, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("cannot write %s (%w): choose a folder that you may write to", path, err)
	}
	return fmt.Errorf("cannot write %s: %w", path, err)
}

// A process that is killed leaves the temporary file that it was writing. The next Write of the same file removes it.

// leftLong is the age, since its last change, from which no process can be writing a temporary file any more.
const leftLong = time.Hour

// Temporary is the pattern, as in os.CreateTemp, of the temporary files that Write makes for a file named base.
func Temporary(base string) string { return "." + base + ".*.tmp" }

// RemoveLeft removes the temporary files that match a pattern with one star and were last changed at least age before now.
func RemoveLeft(dir, pattern string, age time.Duration, now time.Time) {
	before, after, _ := strings.Cut(pattern, "*")
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		middle, begins := strings.CutPrefix(entry.Name(), before)
		middle, ends := strings.CutSuffix(middle, after)
		if !begins || !ends || strings.Trim(middle, "0123456789") != "" || !entry.Type().IsRegular() {
			continue
		}
		if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) >= age {
			disk.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}
