package runs

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/say"
)

// longestName is the most bytes in a part of a run's name; file systems allow 255, and temporary files need some of them.
const longestName = 200

var namePart = regexp.MustCompile(`^[A-Za-z0-9_=+][A-Za-z0-9._=+-]*$`)

// CheckName says in one sentence why name cannot be the name of a run, or returns nil. A name has letters, digits, dots,
// dashes, underscores, = and +, and does not begin with a dot or dash. It may have several parts, separated by slashes:
// the run is then in a sub-folder, where List finds it.
func CheckName(name string) error {
	parts := strings.Split(name, "/")
	switch {
	case name == "":
		return fmt.Errorf("a run needs a name: give one with --run")
	case filepath.IsAbs(name) || strings.ContainsRune(name, '\\') || slices.Contains(parts, ".") ||
		slices.Contains(parts, ".."):
		return fmt.Errorf("the run name %q is a path: name the folder with --runs, and the run in it with --run", name)
	}
	for _, part := range parts {
		if len(part) > longestName {
			return fmt.Errorf("the run name %q is too long: use %d letters at most", part[:20]+"...", longestName)
		}
		if !namePart.MatchString(part) {
			return fmt.Errorf("%q cannot be the name of a run: use letters, digits, dots, dashes, _, = and +, "+
				"with no dot or dash first; the folder is named with --runs", name)
		}
	}
	return nil
}

// The runs of a sweep are in a folder of its name: SWEEP/REST. They used to be named SWEEP-REST, and such names, patterns
// and run folders are still understood by the next four functions.

// Dashed is a name with dashes in place of its slashes, SWEEP-REST for SWEEP/REST.
func Dashed(name string) string { return strings.ReplaceAll(name, "/", "-") }

// Matches reports whether a pattern matches the name of a run: * stands for any letters, including slashes, ? for one
// letter, [ab] for a or b. A dash may stand for a slash: both fig8-left/20-* and fig8-left-20-* match
// fig8-left/20-constant-s1.
func Matches(pattern, name string) (bool, error) {
	slash := strings.NewReplacer("/", "\x00") // matches like a letter, and occurs in no name
	whole, err := path.Match(slash.Replace(pattern), slash.Replace(name))
	if err != nil {
		return false, fmt.Errorf("the pattern %q has a bracket that does not close: write [ab] for one of a and b", pattern)
	}
	dashed, _ := path.Match(pattern, Dashed(name))
	return whole || dashed, nil
}

// NotebookPrefix begins the names of notebooks' runs, which git ignores.
const NotebookPrefix = "notebook-"

// OfNotebook reports whether a run is a notebook's, and so no record.
func OfNotebook(name string) bool { return strings.HasPrefix(name, NotebookPrefix) }

// Begun returns the name below root under which a sweep keeps its run SWEEP/REST. It is SWEEP-REST if the run was begun
// under that name, or if SWEEP is itself a run, which cannot hold others.
func Begun(root, name string) string {
	_, inRun := enclosing(root, name)
	if dashed := Dashed(name); inRun || !isDir(filepath.Join(root, name)) && isDir(filepath.Join(root, dashed)) {
		return dashed
	}
	return name
}

// spelled finds the run in the folder dir whose name equals dashed once its slashes are written as dashes, and returns
// its name.
func spelled(dir, dashed string) (name string, ok bool) {
	if !namePart.MatchString(dashed) {
		return "", false
	}
	if isRun(filepath.Join(dir, dashed)) {
		return dashed, true
	}
	for i, letter := range dashed {
		if sub := filepath.Join(dir, dashed[:i]); letter == '-' && isDir(sub) && !isRun(sub) {
			if rest, ok := spelled(sub, dashed[i+1:]); ok {
				return dashed[:i] + "/" + rest, true
			}
		}
	}
	return "", false
}

// enclosing returns the run below root whose folder would contain a run of that name, if there is one.
func enclosing(root, name string) (run string, inRun bool) {
	for i, letter := range name {
		if letter == '/' && isRun(filepath.Join(root, name[:i])) {
			return name[:i], true
		}
	}
	return "", false
}

// Folder returns the folder in which to write the run of that name below the folder root. The path of a folder below
// root, as a shell completes it, stands for the name of the run there; the path of a run elsewhere is an error. So is a
// name that [CheckName] refuses, and one inside the folder of another run, where nobody would find it. If no run has the
// name, a run counts whose name has slashes in place of dashes or the other way round, as in [Locate].
func Folder(root, name string) (string, error) {
	if given := filepath.Join(root, name); !isDir(given) {
		if below, ok := throughRoot(root, name); ok {
			name = below
		} else if strings.ContainsRune(filepath.Clean(name), filepath.Separator) && isRun(name) {
			return "", fmt.Errorf("%s is a run that is not in %s: continue it with --runs %s --run %s",
				name, root, filepath.Dir(filepath.Clean(name)), filepath.Base(name))
		}
	}
	if err := CheckName(name); err != nil {
		return "", err
	}
	dir := filepath.Join(root, name)
	if other, ok := spelled(root, Dashed(name)); ok && !isDir(dir) {
		return filepath.Join(root, other), nil
	}
	if other, inRun := enclosing(root, name); inRun {
		return "", fmt.Errorf("%s is a run, so it cannot hold the run %s: choose another name", other, name)
	}
	return dir, nil
}

// throughRoot returns the name of the run to which a path leads through the folder root: "a" for data/runs/a.
func throughRoot(root, path string) (name string, ok bool) {
	name, ok = below(root, path)
	return name, ok && strings.HasSuffix(filepath.ToSlash(filepath.Clean(path)), "/"+name)
}

// below returns the path of dir relative to the folder root, if dir is inside it.
func below(root, dir string) (name string, ok bool) {
	root, rootErr := filepath.Abs(root)
	dir, dirErr := filepath.Abs(dir)
	name, err := filepath.Rel(root, dir)
	return filepath.ToSlash(name), rootErr == nil && dirErr == nil && err == nil && name != "." && filepath.IsLocal(name)
}

// Locate returns the folder and the name of the run that a reader means by given: its name below the folder root, or the
// path of its folder. The returned name is the path below root; for a run elsewhere it is the name of its folder. The
// folder need not exist. If it does not, a run counts whose name has slashes in place of dashes, or the other way round.
func Locate(root, given string) (dir, name string) {
	dir = filepath.Join(root, given)
	if isRun(given) && !isRun(dir) || isDir(given) && !isDir(dir) {
		dir = filepath.Clean(given)
	} else if !isDir(dir) {
		name := given
		if below, ok := throughRoot(root, given); ok {
			name = below
		}
		if other, ok := spelled(root, Dashed(name)); ok {
			dir = filepath.Join(root, other)
		}
	}
	if name, ok := below(root, dir); ok {
		return dir, name
	}
	realRoot, rootErr := realPath(root)
	realDir, err := realPath(dir)
	if name, ok := below(realRoot, realDir); ok && rootErr == nil && err == nil { // through links
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
		return nil, cmp.Or(holdsRuns(dir, name), err)
	}
	run.Name = name
	return run, nil
}

// holdsRuns says that name is a folder of runs, or returns nil where the folder dir holds none.
func holdsRuns(dir, name string) error {
	if inside := Names(dir); len(inside) > 0 {
		return fmt.Errorf("%s is a folder of runs: name one of them, such as %s", say.Shown(name), say.Shown(name+"/"+inside[0]))
	}
	return nil
}

// showing returns err with the folder dir written as say.Shown writes it, wherever the message names it.
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
