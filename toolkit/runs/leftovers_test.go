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

// What a killed writer left is removed by the next; what may be a living process's, or is not ours, is not.
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
	// A claim in the making tells whose it is, and whoever has this machine's lock knows that it is of no process here.
	here, elsewhere := filepath.Join(dir, "lock.1234.tmp"), filepath.Join(dir, "lock.1235.tmp")
	for path, of := range map[string]holder{here: thisProcess(), elsewhere: on("b")} {
		data, err := json.Marshal(of)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, data, 0o644))
	}
	write(t, dir, rows[0])
	require.NoFileExists(t, here)
	require.FileExists(t, elsewhere)
	require.NoError(t, files.Write(filepath.Join(dir, "net.safetensors"), []byte("x")))
}

// Pipes, links to nothing and folders in a run's place are refused; nothing waits for them or is locked by them.
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

func TestOutputsThatAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Symlink("/dev/null", in("device")))
	require.NoError(t, os.Symlink("nothing", in("dangling")))
	require.NoError(t, os.Mkdir(in("folder"), 0o755))
	require.NoError(t, syscall.Mkfifo(in("pipe"), 0o644))
	for path, want := range map[string]string{
		"/dev/full":    "/dev/full is no regular file and is left as it is: write to another one",
		in("device"):   in("device") + " is no regular file and is left as it is: write to another one",
		in("pipe"):     in("pipe") + " is no regular file and is left as it is: write to another one",
		in("folder"):   in("folder") + " is a folder: name a file in it",
		in("dangling"): in("dangling") + " is a link to what is not there: remove it, or write to another file",
	} {
		before, err := os.Lstat(path)
		require.NoError(t, err)
		require.EqualError(t, files.Write(path, []byte("x")), want)
		require.EqualError(t, files.WriteError("elsewhere", files.Check(path)), want, "said once")
		after, err := os.Lstat(path)
		require.NoError(t, err)
		require.Equal(t, before.Mode(), after.Mode())
	}

	// A link to a file stays one.
	require.NoError(t, os.WriteFile(in("file"), []byte("old"), 0o644))
	require.NoError(t, os.Symlink("file", in("link")))
	require.NoError(t, files.Write(in("link"), []byte("new")))
	data, err := os.ReadFile(in("file"))
	require.NoError(t, err)
	require.Equal(t, "new", string(data))
	info, err := os.Lstat(in("link"))
	require.NoError(t, err)
	require.Equal(t, os.ModeSymlink, info.Mode().Type())
}

// A full disk is said once, whoever hands the error on.
func TestWriteErrorIsSaidOnce(t *testing.T) {
	inner := files.WriteError("work/position.json", &os.PathError{Op: "write", Path: "x.tmp", Err: syscall.ENOSPC})
	outer := files.WriteError("checkpoint/last", inner)
	require.EqualError(t, outer, "no space left on device while writing checkpoint/last: free some space and start the same command again")
	require.ErrorIs(t, outer, syscall.ENOSPC)
	w := &Writer{dir: "run"}
	require.EqualError(t, w.explain(resultFile, inner),
		"no space left on device while writing run/result.json: free some space and start the same command again; the run is intact up to step 0")
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("12345"), 0o644))
	data, err := files.Read(path, 5)
	require.NoError(t, err)
	require.Equal(t, "12345", string(data))
	_, err = files.Read(path, 4)
	require.EqualError(t, err, path+" has more than 4 bytes, the most that such a file may have")
	_, err = files.Read("/dev/zero", 4)
	require.EqualError(t, err, "/dev/zero is no regular file")
}
