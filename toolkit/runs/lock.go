package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// ErrLocked says that another process writes the run.
type ErrLocked struct{ Dir, Holder string }

func (e ErrLocked) Error() string {
	return fmt.Sprintf("the run %s is being written by %s: wait until it ends, stop it, or choose another run name", e.Dir, e.Holder)
}

// holder is the content of the lock file: who holds the lock. The lock itself is the operating system's and ends
// with the process however that dies; the content may then be stale, but it is read only while the lock is held.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// lock takes the run's lock, or returns ErrLocked.
func lock(dir string) (*flock.Flock, error) {
	path := filepath.Join(dir, lockFile)
	l := flock.New(path, flock.SetPermissions(0o644))
	// A moment's patience, since a reader that asks for the status holds the lock for an instant.
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	ok, err := l.TryLockContext(ctx, 10*time.Millisecond)
	if err != nil && ctx.Err() == nil {
		return nil, WriteError(path, err)
	}
	if !ok {
		return nil, ErrLocked{Dir: dir, Holder: readHolder(path)}
	}
	host, _ := os.Hostname()
	data, _ := json.Marshal(holder{PID: os.Getpid(), Host: host, Since: time.Now().Round(time.Second)})
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		l.Close()
		return nil, WriteError(path, err)
	}
	return l, nil
}

func readHolder(path string) string {
	var h holder
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &h) != nil || h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d on %s since %s", h.PID, h.Host, h.Since.Format("2006-01-02 15:04:05"))
}

// locked reports whether a process writes the run now.
func locked(dir string) bool {
	path := filepath.Join(dir, lockFile)
	if _, err := os.Stat(path); err != nil {
		return false // and do not create it by asking
	}
	l := flock.New(path)
	ok, err := l.TryRLock()
	l.Close()
	return err == nil && !ok
}
