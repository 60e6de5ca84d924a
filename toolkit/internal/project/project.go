// Package project finds the folder of this project on the machine, and says which source a program is from, with which
// libraries, and on which machine it runs.
package project

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Module is the module path in the project's go.mod; it marks the project's folder.
const Module = "stochdepth"

// EnvRoot names the environment variable that overrides the search of [Root].
const EnvRoot = "STOCHDEPTH_ROOT"

// Root returns the absolute path of the project's folder: the one whose go.mod declares [Module].
//
// It looks first at $STOCHDEPTH_ROOT, which must be that folder if it is set; then at the working
// directory and the folders above it; then at $GONB_DIR, the folder in which a GoNB notebook was started,
// and above, because GoNB compiles a cell in a temporary folder and may run it there; then above the program's own file, for a
// stochdepth that was built into the project's .bin and is used elsewhere.
//
// The error is one sentence for the user.
func Root() (string, error) {
	if root := os.Getenv(EnvRoot); root != "" {
		if !isRoot(root) {
			return "", fmt.Errorf("%s is set to %s, which has no go.mod of module %s: set it to the project's folder or unset it",
				EnvRoot, root, Module)
		}
		return filepath.Abs(root)
	}
	if dir, err := os.Getwd(); err == nil {
		if root, ok := upwards(dir); ok {
			return root, nil
		}
	}
	if dir := os.Getenv("GONB_DIR"); dir != "" {
		if dir, err := filepath.Abs(dir); err == nil {
			if root, ok := upwards(dir); ok {
				return root, nil
			}
		}
	}
	if program, err := os.Executable(); err == nil {
		if root, ok := upwards(filepath.Dir(program)); ok {
			return root, nil
		}
	}
	return "", errors.New("the project's folder was not found: run inside it, or set " + EnvRoot + " to it")
}

// upwards returns the first folder, from the absolute path dir up, that is the project's.
func upwards(dir string) (string, bool) {
	for {
		if isRoot(dir) {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

func isRoot(dir string) bool {
	file, err := os.Open(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "module" {
			return strings.Trim(fields[1], `"`) == Module
		}
	}
	return false
}
