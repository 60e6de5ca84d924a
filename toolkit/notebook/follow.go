package notebook

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
)

// Follow shows the progress of a run that another process trains, read from its folder: a bar, and a growing curve. The
// curves of other runs, named by their folders, are drawn for comparison. It waits up to patience for the folder to
// appear, and returns when the run has ended, when no process trains it, or when ctx ends.
func Follow(ctx context.Context, dir string, patience time.Duration, others ...string) (*runs.Run, error) {
	compared, err := runs.OpenAll(others...)
	if err != nil {
		return nil, err
	}
	curve := NewLive()
	draw := func(run *runs.Run) func() (*figures.Figure, error) {
		return func() (*figures.Figure, error) { return figures.LiveCurve(append([]*runs.Run{run}, compared...)...) }
	}
	run, err := runs.Follow(ctx, dir, patience, NewBar(0, say.Shown(filepath.Base(dir)), "epochs"),
		func(run *runs.Run) { curve.Update(draw(run)) })
	if err != nil || ctx.Err() != nil {
		return run, err
	}
	return run, curve.Done(draw(run))
}

// CommandLine builds the command line, stochdepth, from the project's present source, and returns the path of the program.
// It is for cells that train in other processes. Another program has what is your own: CommandLine("./mine"), see
// toolkit/cmd/example.
func CommandLine(program ...string) (string, error) {
	root, err := project.Root()
	if err != nil {
		return "", err
	}
	source := append(program, "./toolkit/cmd/stochdepth")[0]
	path := filepath.Join(root, ".out", filepath.Base(source))
	build := exec.Command("go", "build", "-o", path, source)
	build.Dir = root
	build.Env = append(build.Environ(), "GOWORK=off")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the command line cannot be built: %s", strings.TrimSpace(string(output)))
	}
	return path, nil
}

// Command is the command line with these arguments, in the project's folder, ready to start as a process of its own, which
// outlives the cell.
func Command(arguments ...string) (*exec.Cmd, error) {
	path, err := CommandLine()
	if err != nil {
		return nil, err
	}
	command := exec.Command(path, arguments...)
	command.Dir, err = project.Root()
	return command, err
}
