package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/disk"
)

// processOn is a process of a machine that cannot see this one's locks.
func processOn(host string) holder { return holder{PID: 7, Host: host, Boot: "boot of " + host} }

func silentFor(t *testing.T, c claim, silence time.Duration) {
	t.Helper()
	then := time.Now().Add(-silence)
	require.NoError(t, os.Chtimes(c.path(), then, then))
}

func TestClaimsOfOtherMachines(t *testing.T) {
	dir := t.TempDir()
	first, err := takeClaim(dir, processOn("a"), true)
	require.NoError(t, err)
	var locked ErrLocked
	_, err = takeClaim(dir, processOn("b"), true)
	require.ErrorAs(t, err, &locked)
	require.Contains(t, locked.Holder, "process 7 on a")

	silentFor(t, first, staleAfter-2*time.Second)
	_, err = takeClaim(dir, processOn("b"), true)
	require.ErrorAs(t, err, &locked, "silent, but not for long enough")
	silentFor(t, first, time.Hour)
	require.NoError(t, first.beat())
	_, err = takeClaim(dir, processOn("b"), true)
	require.ErrorAs(t, err, &locked, "alive again")

	again, err := takeClaim(dir, processOn("a"), true)
	require.NoError(t, err, "on one machine its lock decides, and it was taken")
	require.ErrorAs(t, first.check(), &locked)
	_, err = takeClaim(dir, processOn("a"), false)
	require.ErrorAs(t, err, &locked, "without locks only the heartbeat does")

	silentFor(t, again, staleAfter+time.Second)
	third, err := takeClaim(dir, processOn("b"), true)
	require.NoError(t, err)
	require.Error(t, again.beat(), "a dead machine that comes back does not revive its claim")
	again.release()
	require.NoError(t, third.check(), "nor end another one")

	third.release()
	fourth, err := takeClaim(dir, processOn("a"), true)
	require.NoError(t, err, "a released claim is free at once")
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
	require.Equal(t, filepath.Base(fourth.path()), files[0].Name())

	require.NoError(t, os.WriteFile(fourth.path(), []byte("{"), 0o644))
	_, err = takeClaim(dir, processOn("b"), true)
	require.ErrorAs(t, err, &locked, "a damaged claim is not free")
}

// withoutLinks makes the file system refuse hard links until the test ends.
func withoutLinks(t *testing.T) {
	t.Cleanup(disk.Observe(disk.Observer{Before: func(operation, _ string) error {
		if operation == "link" {
			return syscall.EPERM
		}
		return nil
	}}))
}

func TestClaimsWithoutHardLinks(t *testing.T) {
	withoutLinks(t)
	t.Run("of other machines", TestClaimsOfOtherMachines)
	t.Run("one of many", TestOnlyOneOfManyTakesAStaleClaim)
	t.Run("exclude each other", TestClaimsExcludeEachOther)

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(claim{dir: dir, number: 1}.path(), nil, 0o644))
	_, err := takeClaim(dir, processOn("a"), true)
	require.ErrorAs(t, err, new(ErrLocked), "a claim that is not written yet is not free")
}

func TestOnlyOneOfManyTakesAStaleClaim(t *testing.T) {
	for range 30 {
		dir := t.TempDir()
		dead, err := takeClaim(dir, processOn("dead"), true)
		require.NoError(t, err)
		silentFor(t, dead, time.Hour)
		var taken, refused atomic.Int32
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				_, err := takeClaim(dir, processOn(fmt.Sprint(i)), true)
				switch locked := (ErrLocked{}); {
				case err == nil:
					taken.Add(1)
				case errors.As(err, &locked):
					refused.Add(1)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, taken.Load())
		require.EqualValues(t, 11, refused.Load())
	}
}

// Claims change hands quickly among many, so that every stage of taking one meets every other.
func TestClaimsExcludeEachOther(t *testing.T) {
	dir := t.TempDir()
	var inside, taken atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 60 {
				c, err := takeClaim(dir, processOn(fmt.Sprint(i)), true)
				if err != nil {
					continue
				}
				taken.Add(1)
				if inside.Add(1) != 1 || c.check() != nil {
					t.Error("two hold the run")
				}
				time.Sleep(time.Millisecond)
				inside.Add(-1)
				c.release()
			}
		})
	}
	all.Wait()
	require.Greater(t, taken.Load(), int32(8))
}

func TestWriterNoticesThatItWasTakenOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, small(t))
	require.NoError(t, err)
	require.NoError(t, w.Append(rows[0]))
	silentFor(t, w.lock.claim, time.Hour)
	other, err := takeClaim(dir, processOn("b"), true)
	require.NoError(t, err)

	var locked ErrLocked
	require.ErrorAs(t, w.Check(), &locked)
	require.ErrorAs(t, w.Append(rows[1]), &locked)
	require.ErrorAs(t, w.WriteResult(Result{}), &locked)
	require.NoError(t, w.Close())
	run, err := Open(dir)
	require.NoError(t, err)
	requireRows(t, rows[:1], run.Rows)
	require.Nil(t, run.Result)

	require.Equal(t, "running", run.Status(), "on machine b")
	_, err = Create(dir, small(t))
	require.ErrorAs(t, err, &locked)
	silentFor(t, other, time.Hour)
	require.Equal(t, "interrupted", run.Status())
	write(t, dir, rows[1])
}
