//go:build unix

package sweep

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// ownGroup keeps the terminal's Ctrl-C from a worker: the process that started it passes the signal on.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// peakMemory is the largest resident size of a process that has ended, bytes.
func peakMemory(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss // in bytes already
	}
	return usage.Maxrss << 10
}
