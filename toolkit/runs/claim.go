package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
)

const (
	beatEvery  = 5 * time.Second
	staleAfter = time.Minute // a claim without a heartbeat for this long belongs to a dead machine
)

// claim is a file "lock.N" in a run folder. Its content says who holds the run; the time of its last change says when the
// holder was last alive. The highest N counts. When that claim is released or stale, a process that wants the run creates
// "lock.N+1", which the file system lets only one process do. The highest claim is never deleted, only overwritten by an
// empty line, so a process that acts on an old observation finds a higher claim and gives up. All times are the file
// system's own, so clocks need not agree.
type claim struct {
	dir    string
	number int
	holder holder    // zero if released
	beaten time.Time // last heartbeat
}

// holder says which process holds a claim.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Boot  string    `json:"boot,omitempty"` // identifies the running kernel: two containers may have the same host name
	Since time.Time `json:"since"`
}

func thisProcess() holder {
	host, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // Linux alone has it
	return holder{PID: os.Getpid(), Host: host, Boot: strings.TrimSpace(string(boot)), Since: time.Now().Round(time.Second)}
}

// sameMachine reports whether the operating system's lock decides between the two.
func (h holder) sameMachine(other holder) bool { return h.Boot == other.Boot && h.Host == other.Host }

const temporaryClaim = lockFile + ".*.tmp"

// takeClaim claims the run for me, or returns ErrLocked. If locked is true, this process has the machine's lock: no other
// process of this machine holds the run, whatever the newest claim says.
func takeClaim(dir string, me holder, locked bool) (claim, error) {
	data, _ := json.Marshal(me)
	data = append(data, '\n')
	file, err := disk.CreateTemp(dir, temporaryClaim)
	if err != nil {
		return claim{}, files.WriteError(filepath.Join(dir, lockFile), err)
	}
	defer disk.Remove(file.Name())
	if err = errors.Join(disk.Write(file, data), file.Sync()); err != nil {
		file.Close()
		return claim{}, files.WriteError(file.Name(), err)
	}
	now := modified(file, time.Now())
	file.Close()

	newest := newestClaim(dir)
	dead := locked && newest.holder.sameMachine(me) || now.Sub(newest.beaten) >= staleAfter
	if !newest.free() && !dead {
		return claim{}, ErrLocked{Dir: dir, Holder: newest.who()}
	}
	mine := claim{dir: dir, number: newest.number + 1, holder: me}
	err = disk.Link(file.Name(), mine.path())
	if err != nil && !errors.Is(err, fs.ErrExist) { // a file system without hard links
		err = writeNew(mine.path(), data)
	}
	if errors.Is(err, fs.ErrExist) {
		return claim{}, ErrLocked{Dir: dir, Holder: newestClaim(dir).who()}
	} else if err != nil {
		return claim{}, files.WriteError(mine.path(), err)
	}
	if err := mine.check(); err != nil {
		disk.Remove(mine.path())
		return claim{}, err
	}
	for _, number := range claimNumbers(dir) {
		if number < mine.number {
			disk.Remove(claim{dir: dir, number: number}.path())
		}
	}
	left, _ := fs.Glob(os.DirFS(dir), temporaryClaim)
	for _, name := range left { // left by killed processes, not by those that are asking now
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err == nil && (now.Sub(info.ModTime()) >= staleAfter || locked && fromMachineOf(me, path)) {
			disk.Remove(path)
		}
	}
	return mine, nil
}

// fromMachineOf reports whether a temporary claim was made on the machine of me. If me has the machine's lock, the maker
// has ended.
func fromMachineOf(me holder, path string) bool {
	var other holder
	data, err := files.Read(path, 1<<10)
	return err == nil && json.Unmarshal(data, &other) == nil && other.sameMachine(me)
}

// writeNew writes a file that must not exist yet. While the file is empty, its claim is not free.
func writeNew(path string, data []byte) error {
	file, err := disk.CreateNew(path)
	if err != nil {
		return err
	}
	return errors.Join(disk.Write(file, data), file.Sync(), file.Close())
}

// newestClaim reads the claim that counts; if there is none, it returns number 0, which is free.
func newestClaim(dir string) claim {
	var newest claim
	for range 10 {
		newest = claim{dir: dir}
		for _, number := range claimNumbers(dir) {
			newest.number = max(newest.number, number)
		}
		if newest.number == 0 {
			return newest
		}
		if info, err := os.Lstat(newest.path()); err == nil && !info.Mode().IsRegular() {
			return newest // not made by us, so it is free
		}
		file, err := files.OpenRegular(newest.path())
		if err != nil { // replaced by a newer one just now
			newest.holder, newest.beaten = holder{PID: -1}, time.Now()
			continue
		}
		newest.beaten = modified(file, time.Now())
		data, err := io.ReadAll(file)
		file.Close()
		if err != nil || !strings.HasPrefix(string(data), released) && json.Unmarshal(data, &newest.holder) != nil {
			newest.holder = holder{PID: -1} // damaged, or being written, but not free
		}
		break
	}
	return newest
}

func claimNumbers(dir string) []int {
	var numbers []int
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		text, isClaim := strings.CutPrefix(entry.Name(), lockFile+".")
		if number, err := strconv.Atoi(text); isClaim && err == nil {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

func (c claim) path() string {
	return filepath.Join(c.dir, lockFile+"."+strconv.Itoa(c.number))
}

func (c claim) free() bool { return c.holder.PID == 0 }

func (c claim) who() string {
	if c.holder.PID <= 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d on %s since %s", c.holder.PID, c.holder.Host, c.holder.Since.Format("2006-01-02 15:04:05"))
}

// beat shows the others that the holder is alive: it writes the first byte again. It does not create the file.
func (c claim) beat() error {
	file, err := os.OpenFile(c.path(), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte("{"), 0)
	return errors.Join(err, file.Close())
}

// check returns ErrLocked unless the claim is the one that counts.
func (c claim) check() error {
	if newest := newestClaim(c.dir); newest.number != c.number {
		return ErrLocked{Dir: c.dir, Holder: newest.who()}
	}
	return nil
}

// released is the beginning of a claim that is free.
const released = "\n"

// release frees the claim. It does nothing if a newer claim has replaced it.
func (c claim) release() {
	file, err := os.OpenFile(c.path(), os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer file.Close()
	if disk.Write(file, []byte(released)) == nil {
		disk.Truncate(file, int64(len(released)))
	}
}

// modified returns when an open file was last changed, by its file system's clock, or otherwise if that is unknown.
func modified(file *os.File, otherwise time.Time) time.Time {
	info, err := file.Stat()
	if err != nil {
		return otherwise
	}
	return info.ModTime()
}
