package runs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/say"
)

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "fig8-left-14-linear-0.9-s1", "milestones=0.5+0.75", "_x", "2026/mine", "A.b"} {
		require.NoError(t, CheckName(name), name)
	}
	const path, pattern = "is a path: name the folder with --runs, and the run in it with --run",
		"use letters, digits, dots, dashes, _, = and +"
	for name, want := range map[string]string{
		"":                       "a run needs a name: give one with --run",
		".":                      path,
		"..":                     path,
		"../../x":                path,
		"a/../b":                 path,
		"a/./b":                  path,
		"/abs/path":              path,
		`a\b`:                    path,
		".hidden":                pattern,
		"-flag":                  pattern,
		"a//b":                   pattern,
		"a/":                     pattern,
		"two words":              pattern,
		"a\nb":                   pattern,
		"a\x1b[2Jb":              pattern,
		"größe":                  pattern,
		"a\x00":                  pattern,
		strings.Repeat("a", 201): "is too long: use 200 letters at most",
	} {
		err := CheckName(name)
		require.ErrorContains(t, err, want, "%q", name)
		require.Equal(t, say.Shown(err.Error()), err.Error(), "nothing in it acts on a terminal")
	}
	require.EqualError(t, CheckName("/abs/path"),
		`the run name "/abs/path" is a path: name the folder with --runs, and the run in it with --run`)
}

func TestFolder(t *testing.T) {
	root := t.TempDir()
	dir, err := Folder(root, "sweep/a")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "sweep", "a"), dir)
	write(t, dir)
	_, err = Folder(root, "sweep/a/b/c")
	require.EqualError(t, err, "sweep/a is a run, so it cannot hold the run sweep/a/b/c: choose another name")
	_, err = Folder(root, "..")
	require.ErrorContains(t, err, "--runs")
}

// A path that a shell completed means the run that is there, never a run named like a path.
func TestPaths(t *testing.T) {
	project := t.TempDir()
	t.Chdir(project)
	root := filepath.Join("data", "runs")
	write(t, filepath.Join(root, "sweep", "a"))
	write(t, filepath.Join("other", "b"))
	absolute := filepath.Join(project, root)
	for given, want := range map[string]string{"sweep/a": "sweep/a", "data/runs/sweep/a/": "sweep/a", "./data/runs/new": "new",
		absolute + "/new/c": "new/c", "runs/new": "runs/new", "other/new": "other/new"} {
		for _, root := range []string{root, absolute} {
			dir, err := Folder(root, given)
			require.NoError(t, err, given)
			require.Equal(t, filepath.Join(root, want), dir)
		}
	}
	_, err := Folder(root, "other/b/")
	require.EqualError(t, err, "other/b/ is a run that is not in data/runs: continue it with --runs other --run b")
	_, err = Folder(root, "data/runs/sweep/a/b")
	require.EqualError(t, err, "sweep/a is a run, so it cannot hold the run sweep/a/b: choose another name")
	_, err = Folder(root, "other/../x")
	require.ErrorContains(t, err, "is a path: name the folder with --runs")

	for given, want := range map[string][2]string{
		"sweep/a":             {"data/runs/sweep/a", "sweep/a"},
		"data/runs/sweep/a/":  {"data/runs/sweep/a", "sweep/a"},
		absolute + "/sweep/a": {absolute + "/sweep/a", "sweep/a"},
		"other/b":             {"other/b", "b"},
		"nowhere/c":           {"data/runs/nowhere/c", "nowhere/c"},
	} {
		dir, name := Locate(root, given)
		require.Equal(t, want, [2]string{dir, name}, given)
	}
	t.Chdir(filepath.Join("other", "b"))
	run, err := Find(absolute, ".")
	require.NoError(t, err)
	require.Equal(t, "b", run.Name)
	t.Chdir(filepath.Join(absolute, "sweep"))
	dir, err := Folder(absolute, "new")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(absolute, "new"), dir, "a name does not depend on the working folder")
}

// A dash may stand for a slash in patterns, and in names that no run has as given.
func TestDashesForSlashes(t *testing.T) {
	root := t.TempDir()
	all := []string{"cifar10-110/110-constant-s1", "cifar10/38-constant-s1", "fig8-left-20-list-s1", "fig8-left/20-constant-s1",
		"pilot/gap/8-linear-0.5-s1"}
	for _, name := range all {
		write(t, filepath.Join(root, name))
	}
	for pattern, want := range map[string][]string{
		"fig8-left-*":             all[2:4],
		"fig8-left/*":             all[3:4],
		"fig8-left-20-constant-*": all[3:4],
		"fig8-*/20-*":             all[3:4],
		"cifar10-*":               all[:2],
		"cifar10/*":               all[1:2],
		"cifar10-38-*":            all[1:2],
		"pilot-gap-8-*":           all[4:],
		"pilot/*":                 all[4:],
		"pilot/*-s2":              nil,
		"pilot*":                  all[4:],
		"*-s[1]":                  all,
		"gap-8-*":                 nil,
		"fig8-left":               nil,
	} {
		var matched []string
		for _, name := range Names(root) {
			ok, err := Matches(pattern, name)
			require.NoError(t, err)
			if ok {
				matched = append(matched, name)
			}
		}
		require.Equal(t, want, matched, pattern)
	}

	require.NoError(t, os.Mkdir(filepath.Join(root, "new"), 0o755))
	for given, want := range map[string]string{"cifar10-38-constant-s1": all[1], "cifar10-110-110-constant-s1": all[0],
		"fig8/left/20-list-s1": all[2], "pilot-gap-8-linear-0.5-s1": all[4], "pilot/gap-8-linear-0.5-s1": all[4],
		filepath.Join(root, "fig8-left-20-constant-s1"): all[3],
		"pilot-gap": "pilot-gap", "fig8-left": "fig8-left", "fig8-left-20-constant-s2": "fig8-left-20-constant-s2", "new/a": "new/a"} {
		for range 2 {
			dir, name := Locate(root, given)
			require.Equal(t, [2]string{filepath.Join(root, want), want}, [2]string{dir, name}, given)
			dir, err := Folder(root, given)
			require.NoError(t, err, given)
			require.Equal(t, filepath.Join(root, want), dir)
			t.Chdir(root)
			root = "."
		}
		root, _ = os.Getwd()
	}
	for _, given := range []string{"a-..-..-x", "..-x", "-fig8", "fig8--left"} {
		_, ok := spelled(root, given)
		require.False(t, ok, given)
	}
	write(t, filepath.Join(root, "mine"))
	for name, want := range map[string]string{all[3]: all[3], "fig8-left/20-list-s1": all[2],
		"fig8-left/20-constant-s2":    "fig8-left/20-constant-s2",
		"cifar10/110-110-constant-s1": "cifar10/110-110-constant-s1", "mine/8-constant-s1": "mine-8-constant-s1"} {
		require.Equal(t, want, Begun(root, name))
	}

	_, err := Find(root, "fig8-left")
	require.EqualError(t, err, "fig8-left is a folder of runs: name one of them, such as fig8-left/20-constant-s1")
	_, err = Create(filepath.Join(root, "fig8-left"), small(t))
	require.EqualError(t, err, filepath.Join(root, "fig8-left")+" is a folder of runs, so it cannot be a run itself: choose "+
		"another run name")
}

// Run folders may come from anybody: what their names and files hold does not act on a terminal.
func TestHostileNamesAreShownQuoted(t *testing.T) {
	root := t.TempDir()
	hostile := "x\x1b[2J\n\u009bm\u202e"
	write(t, filepath.Join(root, hostile), rows[:2]...)
	path := filepath.Join(root, hostile, resultFile)
	require.NoError(t, os.WriteFile(path, []byte(`{"status": "fin\u001b[31mished\nnext"}`), 0o644))
	list, err := List(root)
	require.NoError(t, err)
	for _, format := range []string{"table", "tsv"} {
		var out bytes.Buffer
		require.NoError(t, Table(&out, list, format))
		require.Contains(t, out.String(), `"x\x1b[2J\n\u009bm\u202e"`)
		require.Contains(t, out.String(), `"fin\x1b[31mished\nnext"`)
		require.Equal(t, 2, strings.Count(out.String(), "\n"))
		require.NotContains(t, out.String(), "\x1b")
	}
	require.NoError(t, os.WriteFile(path, []byte(`{`), 0o644))
	_, err = List(root)
	require.ErrorContains(t, err, `x\x1b[2J\n\u009bm\u202e/result.json is damaged`)
	require.Equal(t, say.Shown(err.Error()), err.Error())
}
