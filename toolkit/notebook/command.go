package notebook

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"stochdepth/toolkit/internal/project"
)

// CommandLine builds the command line, stochdepth, as the project now is, and returns the path of the program: for
// cells that start trainings in processes of their own.
func CommandLine() (string, error) {
	root, err := project.Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, ".out", "stochdepth")
	build := exec.Command("go", "build", "-o", path, "./toolkit/cmd/stochdepth")
	build.Dir = root
	build.Env = append(build.Environ(), "GOWORK=off")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the command line cannot be built: %s", strings.TrimSpace(string(said)))
	}
	return path, nil
}

// Command is the command line with these arguments, to be started in a process of its own that outlives the cell.
func Command(arguments ...string) (*exec.Cmd, error) {
	path, err := CommandLine()
	if err != nil {
		return nil, err
	}
	return exec.Command(path, arguments...), nil
}
