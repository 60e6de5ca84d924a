package dataset

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/project"
)

// folder describes the files of a downloadable set and where they are.
type folder struct {
	name  string   // of the set: cifar10
	title string   // CIFAR-10
	dir   string   // its name in the official archive: cifar-10-batches-bin
	files []string // all of which the set needs

	archive bool // comes as one archive, and is replaced as a whole
}

// find returns the folder that has the set's files: root/dir, or root itself; root "" is DefaultRoot(). The error says what is
// there instead, and what to do.
func (f folder) find(root string) (string, error) {
	root = cmp.Or(root, DefaultRoot())
	for _, dir := range []string{filepath.Join(root, f.dir), root} {
		missing := f.missing(dir)
		if len(missing) == 0 {
			return dir, nil
		}
		if len(missing) < len(f.files) {
			return "", fmt.Errorf("%s: %s lacks %s: %s", f.name, dir, strings.Join(missing, ", "), f.remedy())
		}
	}
	return "", fmt.Errorf("%s: %s: %s", f.name, f.mistaken(root), f.remedy())
}

func (f folder) missing(dir string) []string {
	return slices.DeleteFunc(slices.Clone(f.files), func(file string) bool { return isFile(filepath.Join(dir, file)) })
}

// remedy says how to get the set.
func (f folder) remedy() string {
	return fmt.Sprintf("run `stochdepth data get %s`, or give the folder that holds %s by --data-root", f.name, f.dir)
}

// mistaken says what root has instead of the set.
func (f folder) mistaken(root string) string {
	if info, err := os.Stat(root); err != nil {
		return "there is no folder " + root
	} else if !info.IsDir() {
		return root + " is a file, not a folder"
	}
	// Each form of a set has a file that tells it, in the folder or in its usual sub-folder.
	for _, form := range []struct{ dir, file, what string }{
		{"cifar-10-batches-py", "data_batch_1", "the Python version of CIFAR-10, but the binary version is needed"},
		{"cifar-10-batches-mat", "data_batch_1.mat", "the MATLAB version of CIFAR-10, but the binary version is needed"},
		{"cifar-100-python", "train", "the Python version of CIFAR-100, but the binary version is needed"},
		{"cifar-100-matlab", "train.mat", "the MATLAB version of CIFAR-100, but the binary version is needed"},
		{cifar10.dir, "data_batch_1.bin", "CIFAR-10, not " + f.title},
		{cifar100.dir, "train.bin", "CIFAR-100, not " + f.title},
		{svhn.dir, "train_32x32.mat", "SVHN, not " + f.title},
	} {
		python := strings.HasPrefix(form.what, "the ")
		if python && !strings.Contains(form.what, f.title+",") {
			continue
		}
		if isFile(filepath.Join(root, form.file)) {
			return root + " holds " + form.what
		}
		if python && isFile(filepath.Join(root, form.dir, form.file)) {
			return filepath.Join(root, form.dir) + " holds " + form.what
		}
	}
	return root + " holds no " + f.title
}

// broken is the error for a file that cannot be used; the clause says why.
func (f folder) broken(path, clause string) error {
	remove := path
	if f.archive {
		remove = filepath.Dir(path)
	}
	return fmt.Errorf("%s: %s %s: remove %s and %s", f.name, path, clause, remove, f.remedy())
}

// brokenFolder is the error for files that cannot be used together; the clause says why.
func (f folder) brokenFolder(dir, clause string) error {
	return fmt.Errorf("%s: %s %s: remove it and %s", f.name, dir, clause, f.remedy())
}

// DefaultRoot returns the folder for data that git ignores: <project>/data/cache, or data/cache in the working directory
// outside of the project.
func DefaultRoot() string {
	root, err := project.Root()
	if err != nil {
		root = "."
	}
	return filepath.Join(root, "data", "cache")
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
