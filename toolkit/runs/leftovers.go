package runs

import (
	"os"
	"time"

	"stochdepth/toolkit/internal/files"
)

// leftAfter is how long what another process may be writing to a run's folder is left alone, by the time of its last
// change.
const leftAfter = time.Minute

// removeLeftovers removes what writers of the run that were killed left in its folder. The lock is held, so nobody
// writes the run's own files; other processes may be asking for the lock, or noting a failure.
func (w *Writer) removeLeftovers() {
	for _, name := range []string{recipeFile, rowsFile, resultFile} {
		files.RemoveLeft(w.dir, files.Temporary(name), 0, time.Now())
	}
	info, err := os.Stat(w.lock.claim.path()) // just made, by the clock of the folder
	if err != nil {
		return
	}
	files.RemoveLeft(w.dir, temporaryClaim, leftAfter, info.ModTime())
	files.RemoveLeft(w.dir, files.Temporary("failed.json"), leftAfter, info.ModTime())
}
