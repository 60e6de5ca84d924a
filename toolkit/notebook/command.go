package notebook

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"stochdepth/toolkit/internal/project"
)

// CommandLine builds the command line, stochdepth, from the project's present source, and returns the path of the program.
// It is for cells that train in other processes.
func CommandLine() (string, error) {
	root, err := project.Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, ".out", "stochdepth")
	build := exec.Command("go", "build", "-o", path, "./toolkit/cmd/stochdepth")
	build.Dir = root
	build.Env = append(build.Environ(), "GOWORK=off")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the command line cannot be built: %s", strings.TrimSpace(string(output)))
	}
	return path, nil
}

// Command is the command line with these arguments, ready to start as a process of its own, which outlives the cell.
func Command(arguments ...string) (*exec.Cmd, error) {
	path, err := CommandLine()
	if err != nil {
		return nil, err
	}
	return exec.Command(path, arguments...), nil
}
