package runs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/files"
)

// What a killed writer left is removed by the next one, but not what may belong to a living process or is not ours.
func TestLeftoversAreRemoved(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-2 * time.Hour)
	for name, test := range map[string]struct{ old, stays bool }{
		".epochs.tsv.123.tmp":      {},
		".recipe.json.4.tmp":       {old: true},
		".result.json.99.tmp":      {},
		"lock.77.tmp":              {old: true},
		"lock.78.tmp":              {stays: true},
		".failed.json.5.tmp":       {old: true},
		".failed.json.6.tmp":       {stays: true},
		".epochs.tsv.mine.tmp":     {old: true, stays: true},
		".epochs.tsv.1.tmp.bak":    {old: true, stays: true},
		".mine.1.tmp":              {old: true, stays: true},
		"notes.tmp":                {old: true, stays: true},
		".net.safetensors.8.tmp":   {old: true},
		".net.safetensors.9.tmp":   {stays: true},
		".other.safetensors.8.tmp": {old: true, stays: true},
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o644))
		if test.old {
			require.NoError(t, os.Chtimes(path, old, old))
		}
		if test.stays {
			defer require.FileExists(t, path)
		} else {
			defer require.NoFileExists(t, path)
		}
	}
	// A temporary claim names its process. If that is of this machine, whoever has the machine's lock knows that it has
	// ended.
	here, elsewhere := filepath.Join(dir, "lock.1234.tmp"), filepath.Join(dir, "lock.1235.tmp")
	for path, maker := range map[string]holder{here: thisProcess(), elsewhere: processOn("b")} {
		data, err := json.Marshal(maker)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, data, 0o644))
	}
	write(t, dir, rows[0])
	require.NoFileExists(t, here)
	require.FileExists(t, elsewhere)
	require.NoError(t, files.Write(filepath.Join(dir, "net.safetensors"), []byte("x")))
}

// Pipes, links to nothing and folders in place of a run's files are refused; they neither block a reader nor lock the
// run.
func TestFilesThatAreNone(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "run")
	replace := func(t *testing.T, name string) string {
		require.NoError(t, os.RemoveAll(dir))
		write(t, dir, rows[0])
		path := filepath.Join(dir, name)
		require.NoError(t, os.RemoveAll(path))
		return path
	}
	for _, name := range []string{recipeFile, rowsFile, resultFile, lockFile, "lock.1", "lock.7"} {
		for kind, make := range map[string]func(path string) error{
			"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o644) },
			"folder": func(path string) error { return os.Mkdir(path, 0o755) },
			"link":   func(path string) error { return os.Symlink("/nowhere/at-all", path) },
		} {
			t.Run(name+" is a "+kind, func(t *testing.T) {
				path := replace(t, name)
				require.NoError(t, make(path))
				defer time.AfterFunc(20*time.Second, func() { panic("it hangs") }).Stop()
				list, err := List(root)
				w, createErr := Create(dir, small(t))
				if createErr == nil {
					require.NoError(t, w.Close())
				}
				switch isLock := name != recipeFile && name != rowsFile && name != resultFile; {
				case isLock:
					require.NoError(t, err)
					require.Equal(t, "interrupted", list[0].Status(), "nobody holds it")
					if name == lockFile {
						require.EqualError(t, createErr, path+" is no regular file, so it does not lock the run: remove it")
					} else {
						require.NoError(t, createErr)
					}
				case kind != "link":
					require.ErrorContains(t, err, "is no regular file")
				}
			})
		}
	}
}

// A full disk is reported once, with what is safe.
func TestFullDiskIsSaidOnce(t *testing.T) {
	inner := files.WriteError("work/position.json", &os.PathError{Op: "write", Path: "x.tmp", Err: syscall.ENOSPC})
	w := &Writer{dir: "run"}
	require.EqualError(t, w.explain(resultFile, inner),
		"no space left on device while writing run/result.json: free some space and start the same command again; the run is intact up to step 0")
}
