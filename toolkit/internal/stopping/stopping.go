// Package stopping ends contexts when nobody waits for a process any more, so that a training ends with a checkpoint and
// does not lose what it did since the last one.
package stopping

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Hangup returns a context that ends when the terminal is closed (SIGHUP). The shell and the system may both send this
// signal, so further ones do nothing. Under nohup the signal is ignored.
func Hangup(parent context.Context) context.Context {
	if signal.Ignored(syscall.SIGHUP) {
		return parent
	}
	ctx, _ := signal.NotifyContext(parent, syscall.SIGHUP) // never stopped: otherwise the next signal would end the process
	return ctx
}

// Unread returns a context that ends when something is written to standard output or error and nobody reads it, as after
// the end of the program behind a |. After this call such a write fails, and no longer ends the process.
func Unread(parent context.Context) context.Context {
	ctx, cancel := context.WithCancel(parent)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	go func() {
		defer cancel()
		for {
			select {
			case <-ctx.Done():
				return
			case <-broken:
				if isUnread(syscall.Stdout) || isUnread(syscall.Stderr) { // otherwise it was another pipe, such as a worker's
					return
				}
			}
		}
	}()
	return ctx
}

// isUnread reports whether a file is a pipe or a socket whose other end is closed.
func isUnread(file int) bool {
	var info unix.Stat_t
	if err := unix.Fstat(file, &info); err != nil ||
		info.Mode&unix.S_IFMT != unix.S_IFIFO && info.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return false
	}
	state := []unix.PollFd{{Fd: int32(file)}}
	n, err := unix.Poll(state, 0)
	return err == nil && n > 0 && state[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}

// ErrOrphaned is the cause with which a context of [Orphaned] ends.
var ErrOrphaned = errors.New("as the process that started it was gone,")

// lookEvery is the time between two looks for the process that started this one.
const lookEvery = time.Second

// Orphaned returns a context that ends, with [ErrOrphaned] as its cause, when the process that started this one has ended.
func Orphaned(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	starter := os.Getppid()
	go func() {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for os.Getppid() == starter {
			select {
			case <-ctx.Done():
				cancel(nil)
				return
			case <-ticker.C:
			}
		}
		cancel(ErrOrphaned)
	}()
	return ctx
}
