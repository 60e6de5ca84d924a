package runs

import (
	"os"
	"time"

	"stochdepth/toolkit/internal/files"
)

// leftAfter is how long after its last change a file is left alone that another process may be writing to a run's folder.
const leftAfter = time.Minute

// removeLeftovers removes the temporary files that killed writers left in the run's folder. This writer holds the lock,
// so nobody else writes the run's own files; but other processes may be asking for the lock, or noting a failure.
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
