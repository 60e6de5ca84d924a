package runs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"stochdepth/toolkit/internal/files"
)

// ErrLocked says that another process writes the run.
type ErrLocked struct{ Dir, Holder string }

func (e ErrLocked) Error() string {
	return fmt.Sprintf("the run %s is being written by %s: wait until it ends, stop it, or choose another run name", e.Dir, e.Holder)
}

// lock is the right to write a run. Among the processes of one machine the operating system's lock on the file "lock"
// decides; it ends with its process, however that dies. Machines that share the folder over a network may not see each
// other's locks: among them a claim decides, a file whose heartbeat shows that its holder is alive.
type lock struct {
	system *flock.Flock
	claim  claim
	end    func() // stops the heartbeat
}

// takeLock takes the run's lock, or returns ErrLocked.
func takeLock(dir string) (*lock, error) {
	path := filepath.Join(dir, lockFile)
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() { // processes would not lock the same file
		return nil, fmt.Errorf("%s is no regular file, so it does not lock the run: remove it", path)
	}
	system := flock.New(path, flock.SetPermissions(0o666))
	// Wait a moment: a reader that asks for the status holds the lock for an instant.
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	ok, err := system.TryLockContext(ctx, 10*time.Millisecond)
	switch {
	case ok:
	case isWithoutLocks(err): // claims alone decide
	case err != nil && ctx.Err() == nil:
		return nil, files.WriteError(path, err)
	default:
		return nil, ErrLocked{Dir: dir, Holder: newestClaim(dir).who()}
	}
	claim, err := takeClaim(dir, thisProcess(), ok)
	if err != nil {
		system.Close()
		return nil, err
	}
	l := &lock{system: system, claim: claim}
	l.startHeartbeat()
	return l, nil
}

// isWithoutLocks reports whether err says that the file system has no locks, as on some clusters.
func isWithoutLocks(err error) bool {
	return errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOLCK)
}

func (l *lock) startHeartbeat() {
	stop := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() {
		ticker := time.NewTicker(beatEvery)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				l.claim.beat() // if it fails, the next one may succeed
			}
		}
	})
	l.end = func() {
		close(stop)
		beating.Wait()
	}
}

// check returns ErrLocked if another machine has taken over the run, as it may after a long silence of this one.
func (l *lock) check() error { return l.claim.check() }

// release lets the next writer in.
func (l *lock) release() error {
	l.end()
	l.claim.release()
	// The lock file stays: removing it would let two writers lock two files of the same name.
	return l.system.Close()
}

// locked reports whether a process writes the run now.
func locked(dir string) bool {
	path := filepath.Join(dir, lockFile)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return false // without creating the file
	}
	system := flock.New(path)
	ok, err := system.TryRLock()
	system.Close()
	if err == nil && !ok {
		return true
	}
	newest := newestClaim(dir)
	if newest.free() || ok && newest.holder.sameMachine(thisProcess()) {
		return false
	}
	now := time.Now()
	if file, err := os.CreateTemp(dir, temporaryClaim); err == nil { // by the folder's clock, if we may write there
		now = modified(file, now)
		file.Close()
		os.Remove(file.Name())
	}
	return now.Sub(newest.beaten) < staleAfter
}
