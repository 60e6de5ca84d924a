package commands

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/torture"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/runs/sweep"
)

// The ways in which a command is disturbed.
const (
	interrupted  = "interrupted"
	killed       = "killed"
	workerKilled = "one of its workers killed"
	allKilled    = "killed with its workers"
)

// disturb disturbs a running command. It returns false if the command has ended, or has no worker that could be killed.
func disturb(command *os.Process, how string, random *rand.Rand) bool {
	workers := children(command.Pid)
	switch how {
	case interrupted:
		return command.Signal(os.Interrupt) == nil
	case workerKilled:
		return len(workers) > 0 && syscall.Kill(workers[random.IntN(len(workers))], syscall.SIGKILL) == nil
	case allKilled:
		defer func() {
			for _, worker := range workers {
				syscall.Kill(worker, syscall.SIGKILL)
			}
		}()
	}
	return command.Kill() == nil
}

// children returns the processes that a process has started and whose end it has not seen.
func children(pid int) (list []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				list = append(list, child)
			}
		}
	}
	return list
}

// storm disturbs a command at random moments, in each of the ways in turn.
type storm struct {
	ways    []string
	longest time.Duration // from one disturbance, or the start, to the next
	most    int           // disturbances
	random  *rand.Rand
	past    []string // the disturbances so far
}

// endure starts a command again and again until it has done its work.
func (s *storm) endure(t *testing.T, args ...string) {
	t.Helper()
	for {
		cmd := stochdepth(t, args...)
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		require.NoError(t, cmd.Start())
		before := len(s.past)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		var err error
		for running, ending := true, false; running; {
			moment := time.Duration(s.random.Int64N(int64(s.longest)))
			if ending || len(s.past) == s.most {
				moment = 10 * time.Minute // it hangs
			}
			select {
			case err = <-ended:
				running = false
			case <-time.After(moment):
				how := s.ways[len(s.past)%len(s.ways)]
				if ending || len(s.past) == s.most {
					cmd.Process.Kill()
					t.Fatalf("it does not end; it was %v", s.past[before:])
				}
				if disturb(cmd.Process, how, s.random) {
					t.Logf("after %s: %s", moment, how)
					s.past = append(s.past, how)
					ending = how != workerKilled // then it goes on with the others
				}
			}
		}
		if err == nil {
			return
		}
		requireDisturbed(t, cmd.ProcessState, s.past[before:], output.String())
	}
}

// requireDisturbed fails the test if a command ended for another reason than its disturbances.
func requireDisturbed(t *testing.T, state *os.ProcessState, how []string, output string) {
	t.Helper()
	status, code := state.Sys().(syscall.WaitStatus), state.ExitCode()
	byKill := slices.Contains(how, killed) || slices.Contains(how, allKilled)
	switch {
	case byKill && status.Signaled() && status.Signal() == syscall.SIGKILL:
	case slices.Contains(how, interrupted) &&
		(code == sweep.ExitStopped || code == 1 && strings.Contains(output, "stopped at step")):
	case slices.Contains(how, interrupted) && status.Signaled() && status.Signal() == syscall.SIGINT: // before it could listen
	case slices.Contains(how, workerKilled) && code == 1 && strings.Contains(output, "the worker was killed"):
	default:
		t.Fatalf("it ended with %s, and was %q: %s", state, how, output)
	}
}

// A sweep, and a single run, whose processes are killed and interrupted at random moments end in the same bits as an
// undisturbed sweep, and leave no other files.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for half a minute")
	}
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	if _, err := os.Stat("/proc/thread-self/children"); err != nil {
		t.Skipf("this system does not list the processes that a process has started: %v", err)
	}
	folder := t.TempDir()
	sweepFile := filepath.Join(folder, "it.json")
	require.NoError(t, os.WriteFile(sweepFile, []byte(`{"recipe": "shapes",
		"set": {"depth": 8, "train_images": 128, "validation_images": 32, "test_images": 32, "batch_size": 32, "epochs": 3, "evaluate_every": 2, "augment": true},
		"grid": {"rule": ["linear", "uniform"], "death_rate": [0, 0.5]}}`), 0o644))
	sweep := func(dir string) []string {
		return []string{"sweep", "run", sweepFile, "--runs", dir, "--workers", "2", "--retry"}
	}
	undisturbed := filepath.Join(folder, "undisturbed")
	succeed(t, stochdepth(t, "sweep", "task", sweepFile, "0", "--runs", filepath.Join(folder, "first"))) // compiles the program
	started := time.Now()
	succeed(t, stochdepth(t, sweep(undisturbed)...))
	whole := time.Since(started)
	require.Contains(t, succeed(t, stochdepth(t, "sweep", "status", sweepFile, "--runs", undisturbed)), "3 runs: 3 done\n")
	require.Contains(t, succeed(t, stochdepth(t, "sweep", "results", sweepFile, "--runs", undisturbed)), "1/1")
	names := []string{"it/8-constant-s1", "it/8-linear-0.5-s1", "it/8-uniform-0.5-s1"}
	recipe := filepath.Join(undisturbed, names[1], "recipe.json")

	for _, attack := range []struct {
		name      string
		ways      []string
		few, many int // disturbances; many under torture
		longest   time.Duration
		makes     []string
		command   func(dir string) []string
	}{
		{"sweep", []string{killed, workerKilled, allKilled, interrupted}, 5, 160, whole * 2 / 3, names, sweep},
		{"run", []string{killed, killed, killed, interrupted}, 3, 60, whole / 2, names[1:2], func(dir string) []string {
			return []string{"train", "--recipe", recipe, "--run", names[1], "--runs", dir}
		}},
	} {
		t.Run(attack.name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			s := &storm{ways: attack.ways, longest: attack.longest, most: attack.few, random: rand.New(rand.NewPCG(seed, 0))}
			if torture.Asked() {
				s.most = attack.many
			}
			survived := 0
			defer func() {
				torture.Report(t, "kills and interruptions of a "+attack.name, len(s.past), len(s.past)-survived)
			}()
			for trial := 0; survived < s.most; trial++ {
				dir := filepath.Join(folder, fmt.Sprint(attack.name, trial))
				s.endure(t, attack.command(dir)...)
				for _, name := range attack.makes {
					require.Equal(t, ending(t, filepath.Join(undisturbed, name)), ending(t, filepath.Join(dir, name)), name)
				}
				require.NoError(t, os.RemoveAll(dir))
				survived = len(s.past)
			}
		})
	}
}
