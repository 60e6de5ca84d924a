package files

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"stochdepth/toolkit/internal/disk"
)

// A process that is killed leaves the temporary file that it was writing. Whoever next writes in the folder removes it.

// leftLong is how long what another process may be writing is left alone, by the time of its last change.
const leftLong = time.Hour

// Temporary is the pattern of the temporary files that Write makes for a file of that name, as os.CreateTemp takes it.
func Temporary(base string) string { return "." + base + ".*.tmp" }

// RemoveLeft removes the temporary files of a pattern with one star that were last changed so long before now.
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
