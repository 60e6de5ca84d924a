package runs

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"stochdepth/toolkit/internal/disk"
)

// A process that is killed leaves the temporary file that it was writing. Whoever next writes in the folder removes it.

const (
	leftAfter = time.Minute // how long what another process may be writing is left alone, by the time of its last change
	leftLong  = time.Hour   // the same in a folder without a lock, where a large file may be long in the making
)

// temporary is the pattern of WriteAtomic's temporary files for a file of that name, as os.CreateTemp takes it.
func temporary(base string) string { return "." + base + ".*.tmp" }

// removeLeft removes the temporary files of a pattern with one star that were last changed so long before now.
func removeLeft(dir, pattern string, age time.Duration, now time.Time) {
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

// removeLeftovers removes what writers of the run that were killed left in its folder. The lock is held, so nobody
// writes the run's own files; other processes may be asking for the lock, or noting a failure.
func (w *Writer) removeLeftovers() {
	for _, name := range []string{recipeFile, rowsFile, resultFile} {
		removeLeft(w.dir, temporary(name), 0, time.Now())
	}
	info, err := os.Stat(w.lock.claim.path()) // just made, by the clock of the folder
	if err != nil {
		return
	}
	removeLeft(w.dir, temporaryClaim, leftAfter, info.ModTime())
	removeLeft(w.dir, temporary("failed.json"), leftAfter, info.ModTime())
}
