package doctor

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// notebooks checks what `make setup` puts into .venv and .bin, and where cells
// run. No program of theirs is started: the versions are read from files.
func (r *report) notebooks(root string) {
	r.check("JupyterLab", absent, func() (string, error) { return pythonPackage(root, "jupyterlab") })
	r.check("nbconvert", absent, func() (string, error) { return pythonPackage(root, "nbconvert") })
	r.check("GoNB", absent, func() (string, error) { return program(root, "gonb") })
	r.check("gopls", absent, func() (string, error) { return program(root, "gopls") })
	r.check("goimports", absent, func() (string, error) { return program(root, "goimports") })
	r.check("Kernel", absent, func() (string, error) { return kernel(root) })
	r.check("TMPDIR", absent, temporaryFolder)
}

// temporaryFolder checks that programs can start in the folder of temporary files, as cells do: a system may forbid it.
func temporaryFolder() (string, error) {
	const advice = "cells are compiled and started there: set TMPDIR to a folder where programs may run"
	dir, err := os.MkdirTemp("", "stochdepth-doctor-")
	if err != nil {
		return "", fmt.Errorf("nothing can be written into %s (%w); %s", os.TempDir(), err, advice)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "program")
	if err = os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err == nil {
		err = exec.Command(program).Run()
	}
	if err != nil {
		return "", fmt.Errorf("no program can be started in %s (%w); %s", os.TempDir(), err, advice)
	}
	return os.TempDir(), nil
}

// pythonPackage returns the version of a package in the project's .venv.
func pythonPackage(root, name string) (string, error) {
	// The version is in the name of pip's folder with a package's description.
	found, _ := fs.Glob(os.DirFS(root), ".venv/lib/python3*/site-packages/"+name+"-*.dist-info")
	if len(found) == 0 {
		return "", errors.New("not in the project's .venv: run `make setup`")
	}
	version := strings.TrimSuffix(strings.TrimPrefix(path.Base(found[0]), name+"-"), ".dist-info")
	return version, nil
}

// program returns the version of a Go program in the project's .bin.
func program(root, name string) (string, error) {
	info, err := buildinfo.ReadFile(filepath.Join(root, ".bin", name))
	if err != nil {
		return "", errors.New("not in the project's .bin: run `make setup`")
	}
	return info.Main.Version, nil
}

// kernel checks that Jupyter finds the Go kernel, and the kernel its script.
func kernel(root string) (string, error) {
	spec := ".venv/share/jupyter/kernels/gonb/kernel.json"
	for _, file := range []string{spec, "notebooks/kernel/start.sh"} {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file))); err != nil {
			return "", fmt.Errorf("%s is not there, so Jupyter has no Go kernel: run `make setup`", file)
		}
	}
	return spec, nil
}
