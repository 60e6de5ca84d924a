package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"stochdepth/toolkit/internal/disk"
)

// Remove deletes the run in the folder dir, which may be missing. A folder that is not a run is left alone, and so is a
// run that a process is writing ([ErrLocked]).
func Remove(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := Open(dir); err != nil {
		return fmt.Errorf("not deleted, because it cannot be read as a run: %w", err)
	}
	lock, err := takeLock(dir)
	if err != nil {
		return err
	}
	defer lock.release()
	return disk.RemoveAll(dir)
}
