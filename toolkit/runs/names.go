package runs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"stochdepth/toolkit/internal/say"
)

// longestName is how many bytes a part of a run's name may have; file systems take 255, and temporary files need some.
const longestName = 200

var namePart = regexp.MustCompile(`^[A-Za-z0-9_=+][A-Za-z0-9._=+-]*$`)

// CheckName says in one sentence what keeps name from being the name of a run, or returns nil. A name has letters,
// digits, dots, dashes, underscores, = and +, and begins with no dot or dash. It may have parts, divided by slashes:
// the run is then in a sub-folder, where List finds it.
func CheckName(name string) error {
	parts := strings.Split(name, "/")
	switch {
	case name == "":
		return fmt.Errorf("a run needs a name: give one with --run")
	case filepath.IsAbs(name) || strings.ContainsRune(name, '\\') || hasDots(parts):
		return fmt.Errorf("the run name %q is a path: name the folder with --runs, and the run in it with --run", name)
	}
	for _, part := range parts {
		if len(part) > longestName {
			return fmt.Errorf("the run name %q is too long: use %d letters at most", part[:20]+"...", longestName)
		}
		if !namePart.MatchString(part) {
			return fmt.Errorf("%q does not do as the name of a run: use letters, digits, dots, dashes, _, = and +, with no dot or dash first; the folder is named with --runs", name)
		}
	}
	return nil
}

// hasDots reports whether one of the parts of a path is "." or "..".
func hasDots(parts []string) bool {
	for _, part := range parts {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// Folder returns the folder of the run of that name below the folder root, to be written. The path of a folder below root,
// as a shell completes it, is taken as the name that it stands for; that of a run elsewhere is an error. So is a name that
// [CheckName] refuses, and one inside the folder of another run, where nobody would find it.
func Folder(root, name string) (string, error) {
	if given := filepath.Join(root, name); !isDir(given) {
		if below, ok := throughRoot(root, name); ok {
			name = below
		} else if strings.ContainsRune(filepath.Clean(name), filepath.Separator) && isRun(name) {
			return "", fmt.Errorf("%s is a run that is not in %s: go on with it by --runs %s --run %s",
				name, root, filepath.Dir(filepath.Clean(name)), filepath.Base(name))
		}
	}
	if err := CheckName(name); err != nil {
		return "", err
	}
	dir := root
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if i > 0 && isRun(dir) {
			return "", fmt.Errorf("%s is a run, so it cannot hold the run %s: choose another name", strings.Join(parts[:i], "/"), name)
		}
		dir = filepath.Join(dir, part)
	}
	return dir, nil
}

// throughRoot is the name of the run that a path leads to if it goes through the folder root, as "a" of data/runs/a.
func throughRoot(root, path string) (name string, ok bool) {
	name, ok = below(root, path)
	return name, ok && strings.HasSuffix(filepath.ToSlash(filepath.Clean(path)), "/"+name)
}

// below is the path of dir from the folder root, if it is in it.
func below(root, dir string) (name string, ok bool) {
	root, rootErr := filepath.Abs(root)
	dir, dirErr := filepath.Abs(dir)
	name, err := filepath.Rel(root, dir)
	return filepath.ToSlash(name), rootErr == nil && dirErr == nil && err == nil && name != "." && filepath.IsLocal(name)
}

// Locate returns the folder of the run that a reader means by given, its name below the folder root or the path of its
// folder, and its name: the path below root, or elsewhere the folder's own. The folder need not exist.
func Locate(root, given string) (dir, name string) {
	dir = filepath.Join(root, given)
	if isRun(given) && !isRun(dir) || isDir(given) && !isDir(dir) {
		dir = filepath.Clean(given)
	}
	if name, ok := below(root, dir); ok {
		return dir, name
	}
	realRoot, rootErr := realPath(root)
	realDir, err := realPath(dir)
	if name, ok := below(realRoot, realDir); ok && rootErr == nil && err == nil { // on another way
		return dir, name
	}
	if absolute, err := filepath.Abs(dir); err == nil {
		return dir, filepath.Base(absolute)
	}
	return dir, filepath.Base(dir)
}

// Find opens the run that given means, see [Locate].
func Find(root, given string) (*Run, error) {
	dir, name := Locate(root, given)
	run, err := Open(dir)
	if err != nil {
		return nil, err
	}
	run.Name = name
	return run, nil
}

// showing returns err with the folder dir as say.Shown has it wherever the message names it.
func showing(dir string, err error) error {
	if err == nil || say.Shown(dir) == dir {
		return err
	}
	return shownError{dir, err}
}

// shownError is an error about a folder whose name is not fit to be shown.
type shownError struct {
	dir string
	err error
}

func (e shownError) Unwrap() error { return e.err }

func (e shownError) Error() string {
	quoted := say.Shown(e.dir)
	return strings.ReplaceAll(e.err.Error(), e.dir, quoted[1:len(quoted)-1])
}
