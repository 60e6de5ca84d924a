package files_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
)

// On a file system of 64 KiB the old file stays whole, and no temporary file is left.
func TestWriteOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mounting a small file system is not allowed here: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	path := filepath.Join(dir, "file")
	require.NoError(t, files.Write(path, []byte("old")))
	err := files.Write(path, make([]byte, 1<<20))
	require.EqualError(t, err,
		"no space left on device while writing "+path+": free some space and start the same command again")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(data))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestWriteReplacesWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, files.Write(path, []byte("old")))
	require.NoError(t, files.Write(path, []byte("new")))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "new", string(data))

	err = files.Write(filepath.Join(dir, "no", "file"), nil)
	require.EqualError(t, err,
		"cannot write "+filepath.Join(dir, "no", "file")+", its folder is missing: no such file or directory")
	require.NoError(t, files.WriteError(path, nil))
	full := &fs.PathError{Op: "write", Path: "x.tmp", Err: syscall.ENOSPC}
	require.True(t, errors.Is(files.WriteError(path, full), syscall.ENOSPC))
}

// Files and folders have all the permissions that the umask allows, and a folder with the setgid bit hands its group on.
func TestPermissions(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	for umask, want := range map[int][2]fs.FileMode{0o022: {0o644, 0o755}, 0o002: {0o664, 0o775}, 0o077: {0o600, 0o700}} {
		syscall.Umask(umask)
		dir := t.TempDir()
		require.NoError(t, os.Chmod(dir, 0o777|fs.ModeSetgid))
		folder := filepath.Join(dir, "a", "b")
		require.NoError(t, disk.MkdirAll(folder))
		require.NoError(t, files.Write(filepath.Join(folder, "file"), []byte("old")))
		require.NoError(t, files.Write(filepath.Join(folder, "file"), []byte("new"))) // takes the other's place
		made, err := disk.CreateTemp(folder, "some*.tmp")
		require.NoError(t, err)
		require.Regexp(t, `/some\d+\.tmp$`, made.Name())
		require.NoError(t, made.Close())
		made, err = disk.CreateNew(filepath.Join(folder, "new"))
		require.NoError(t, err)
		require.NoError(t, made.Close())
		entries, err := os.ReadDir(folder)
		require.NoError(t, err)
		require.Len(t, entries, 3)
		for _, entry := range entries {
			info, err := entry.Info()
			require.NoError(t, err)
			require.Equal(t, want[0], info.Mode(), entry.Name())
		}
		info, err := os.Stat(folder)
		require.NoError(t, err)
		require.Equal(t, want[1]|fs.ModeDir|fs.ModeSetgid, info.Mode())
	}
}

func TestOutputsThatAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	inside := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Symlink("/dev/null", inside("device")))
	require.NoError(t, os.Symlink("nothing", inside("dangling")))
	require.NoError(t, os.Mkdir(inside("folder"), 0o755))
	require.NoError(t, syscall.Mkfifo(inside("pipe"), 0o644))
	for path, want := range map[string]string{
		"/dev/full":        "/dev/full is no regular file and is left as it is: write to another one",
		inside("device"):   inside("device") + " is no regular file and is left as it is: write to another one",
		inside("pipe"):     inside("pipe") + " is no regular file and is left as it is: write to another one",
		inside("folder"):   inside("folder") + " is a folder: name a file in it",
		inside("dangling"): inside("dangling") + " is a link to what is not there: remove it, or write to another file",
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
	require.NoError(t, os.WriteFile(inside("file"), []byte("old"), 0o644))
	require.NoError(t, os.Symlink("file", inside("link")))
	require.NoError(t, files.Write(inside("link"), []byte("new")))
	data, err := os.ReadFile(inside("file"))
	require.NoError(t, err)
	require.Equal(t, "new", string(data))
	info, err := os.Lstat(inside("link"))
	require.NoError(t, err)
	require.Equal(t, os.ModeSymlink, info.Mode().Type())
}

// The sentence about a full disk appears once, however often the error is handed on.
func TestWriteErrorIsSaidOnce(t *testing.T) {
	inner := files.WriteError("work/position.json", &os.PathError{Op: "write", Path: "x.tmp", Err: syscall.ENOSPC})
	outer := files.WriteError("checkpoint/last", inner)
	require.EqualError(t, outer,
		"no space left on device while writing checkpoint/last: free some space and start the same command again")
	require.ErrorIs(t, outer, syscall.ENOSPC)
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("12345"), 0o644))
	data, err := files.Read(path, 5)
	require.NoError(t, err)
	require.Equal(t, "12345", string(data))
	_, err = files.Read(path, 4)
	require.EqualError(t, err, path+" has more than 4 bytes, the most that such a file may have")
	_, err = files.Read("/dev/zero", 4)
	require.EqualError(t, err, "/dev/zero is no regular file")
	require.NoError(t, os.Truncate(path, 8<<40)) // it has holes
	_, err = files.Read(path, 9<<40)
	require.ErrorContains(t, err, path+" has 8796.1 GB, and this machine has ")
	_, err = files.Read(path, 4<<40)
	require.ErrorContains(t, err, "has more than 4398046511104 bytes")
}
