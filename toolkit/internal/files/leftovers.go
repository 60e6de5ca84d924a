package files

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"stochdepth/toolkit/internal/disk"
)

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
