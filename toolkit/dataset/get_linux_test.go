package dataset

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files that one user's download left behind, with its lock, do not keep another user from getting the set.
func TestGetAfterAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be two users")
	}
	data := archive(t, goodEntries()...)
	s, root := newServer(t, map[string][]byte{archiveName: data}), t.TempDir()
	for _, folder := range []string{root, filepath.Dir(root)} { // the test's folders
		require.NoError(t, os.Chmod(folder, 0o777))
	}
	s.before = func(w http.ResponseWriter, _ *http.Request, request int) bool {
		if request == 1 {
			http.NotFound(w, nil)
		}
		return request == 1
	}
	require.ErrorContains(t, quickGetter().get(t.Context(), s.source(getSrc), root), "404")
	lock, err := os.Stat(filepath.Join(root, "."+getSrc.dir+".lock"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o644), lock.Mode().Perm()&0o644, "all may lock it")
	require.NoError(t, os.WriteFile(filepath.Join(root, archiveName+".part"), data[:1000], 0o644))

	become := func(user uintptr) { _, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, user, 0, 0) } // only this thread
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer become(0)
	become(65534)
	require.NoError(t, quickGetter().get(t.Context(), s.source(getSrc), root))
	info, err := os.Stat(filepath.Join(root, getSrc.dir))
	require.NoError(t, err)
	require.Equal(t, uint32(65534), info.Sys().(*syscall.Stat_t).Uid)
}
