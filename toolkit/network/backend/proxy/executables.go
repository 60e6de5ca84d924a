//go:build linux && amd64 && cgo && !nokernels

package proxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
)

// Executables that XLA has compiled are kept in a folder, each in a file, so that the next start of the same program loads
// them in a twentieth of a second. A file's name is a digest of everything that the executable depends on. The file
// contains a digest of the executable, so that no damaged one is ever loaded, and the executable.

// keptMost is how many executables a folder holds at most, of about 0.4 MB each: the least recently used are removed. It is more
// than the tests of this project and its notebooks have together; with fewer none would be found again.
const keptMost = 1024

var kept struct {
	sync.Mutex
	folder  string
	devices map[string]string // the descriptions that SetDevice got, by the plugin's path
}

// SetDevice says what executables of the plugin at path depend on beside the program and the plugin: the device and its
// driver. Call it before programs are compiled.
func SetDevice(path, description string) {
	kept.Lock()
	defer kept.Unlock()
	if kept.devices == nil {
		kept.devices = make(map[string]string)
	}
	kept.devices[path] = description
}

var loaded atomic.Int64

// KeepIn sets the folder that keeps executables from now on, and returns the earlier one. "" keeps none, and so does a
// folder that cannot be written, which costs only time.
func KeepIn(folder string) (before string) {
	kept.Lock()
	defer kept.Unlock()
	before, kept.folder = kept.folder, folder
	return before
}

// Loaded returns how many executables have been loaded so far instead of compiled.
func Loaded() int { return int(loaded.Load()) }

// executableFile returns the file for the executable of a program that the plugin at path compiles, or "" if it is not kept.
func executableFile(path string, program, options []byte) string {
	kept.Lock()
	defer kept.Unlock()
	switch {
	case kept.folder == "",
		bytes.Contains(program, []byte("sdy.mesh")),          // a program for several devices, and for no others
		strings.Contains(os.Getenv("XLA_FLAGS"), "xla_dump"): // XLA writes what it compiles, and nothing of what is loaded
		return ""
	}
	digest := sha256.New()
	parts := [][]byte{program, options, []byte(plugin(path)), []byte(processor())}
	if device := kept.devices[path]; device != "" {
		parts = append(parts, []byte(device))
	}
	for _, part := range parts {
		fmt.Fprintln(digest, len(part))
		digest.Write(part)
	}
	return filepath.Join(kept.folder, hex.EncodeToString(digest.Sum(nil)))
}

// plugin describes the compiler: the plugin's file and its flags.
func plugin(path string) string {
	description := os.Getenv("XLA_FLAGS")
	if info, err := os.Stat(path); err == nil {
		description += fmt.Sprint("\n", info.Size(), " ", info.ModTime().UnixNano())
	}
	return description
}

// processor describes the processor that XLA compiles for: its features and number of cores.
var processor = sync.OnceValue(func() string {
	description := []string{fmt.Sprint(runtime.NumCPU())}
	processors, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(processors)) {
		if strings.HasPrefix(line, "flags") || strings.HasPrefix(line, "model name") {
			description = append(description, line)
		}
		if strings.TrimSpace(line) == "" { // the next processor
			break
		}
	}
	return strings.Join(description, "\n")
})

// find returns the executable in a file, or nil if there is none or it is damaged.
func find(file string) []byte {
	content, err := os.ReadFile(file)
	if err != nil || len(content) < sha256.Size {
		return nil
	}
	executable := content[sha256.Size:]
	if sha256.Sum256(executable) != [sha256.Size]byte(content) {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(file, now, now)
	return executable
}

// keep writes an executable to a file.
func keep(file string, executable []byte) error {
	folder := filepath.Dir(file)
	if err := disk.MkdirAll(folder); err != nil {
		return err
	}
	prune(folder, keptMost-1)
	digest := sha256.Sum256(executable)
	return files.Write(file, append(digest[:], executable...))
}

// prune removes the least recently used files, until at most the given number is left.
func prune(folder string, most int) {
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) <= most {
		return
	}
	used := make(map[string]time.Time)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			used[entry.Name()] = info.ModTime()
		}
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return used[a.Name()].Compare(used[b.Name()]) })
	for _, entry := range entries[:len(entries)-most] {
		_ = os.Remove(filepath.Join(folder, entry.Name()))
	}
}
