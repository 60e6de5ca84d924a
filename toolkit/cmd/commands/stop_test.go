package commands

import (
	"cmp"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/sweep"
)

// A training whose terminal is closed, whose output nobody reads any more, or whose sweep is killed, ends at a checkpoint
// as after Ctrl-C, and with the same status.
func TestTrainingsEndAtACheckpoint(t *testing.T) {
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	sweepFile := filepath.Join(folder, "it.json")
	require.NoError(t, os.WriteFile(sweepFile, []byte(`{"recipe": "shapes", "grid": {"death_rate": [0]}, "set":
		{"depth": 8, "train_images": 128, "validation_images": 32, "test_images": 32, "batch_size": 32, "epochs": 100000, "evaluate_every": 20}}`), 0o644))
	s, err := sweep.Read(sweepFile)
	require.NoError(t, err)
	recipeFile := filepath.Join(folder, "recipe.json")
	recipe, err := json.Marshal(s.Jobs[0].Recipe)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(recipeFile, recipe, 0o644))
	task := []string{"sweep", "task", sweepFile, "0"}
	hangup := func(cmd *exec.Cmd, _ io.Closer) error { // both the system and the shell send one
		return cmp.Or(cmd.Process.Signal(syscall.SIGHUP), cmd.Process.Signal(syscall.SIGHUP))
	}
	unread := func(_ *exec.Cmd, reader io.Closer) error { return reader.Close() }
	for _, test := range []struct {
		name   string
		args   []string
		stop   func(cmd *exec.Cmd, reader io.Closer) error
		status int
	}{
		{"closed terminal", task, hangup, sweep.ExitStopped},
		{"closed terminal of a sweep", []string{"sweep", "run", sweepFile, "--workers", "1"}, hangup, sweep.ExitStopped},
		{"closed pipe", []string{"train", "--recipe", recipeFile, "--run", "it/8-constant-s1"}, unread, 1},
		{"killed sweep", []string{"sweep", "run", sweepFile, "--workers", "1"},
			func(cmd *exec.Cmd, _ io.Closer) error { return cmd.Process.Kill() }, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.HasPrefix(test.name, "closed terminal") && signal.Ignored(syscall.SIGHUP) {
				t.Skip("SIGHUP is ignored here, as under nohup, and so the trainings ignore it too")
			}
			root := filepath.Join(folder, test.name)
			dir := filepath.Join(root, "it/8-constant-s1")
			cmd := stochdepth(t, append(test.args, "--runs", root)...)
			reader, writer, err := os.Pipe()
			require.NoError(t, err)
			cmd.Stdout, cmd.Stderr = writer, writer
			require.NoError(t, cmd.Start())
			defer cmd.Process.Kill()
			writer.Close()
			go io.Copy(io.Discard, reader)
			rows := func() int {
				run, err := runs.Open(dir)
				if err != nil {
					return 0
				}
				return len(run.Rows)
			}
			require.Eventually(t, func() bool { return rows() > 1 }, time.Minute, 5*time.Millisecond)
			require.NoError(t, test.stop(cmd, reader))
			defer time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }).Stop()
			cmd.Wait()
			require.Equal(t, test.status, cmd.ProcessState.ExitCode(), "%s", cmd.ProcessState)
			var run *runs.Run
			require.Eventually(t, func() bool { // workers end later than a sweep that is killed
				run, err = runs.Open(dir)
				return err == nil && run.Result != nil && run.Status() != "running"
			}, 20*time.Second, 5*time.Millisecond)
			require.Equal(t, "stopped", run.Result.Status)
			require.Contains(t, run.Result.Message, "start the same command again to go on")
			require.GreaterOrEqual(t, run.Result.Steps, run.Rows[len(run.Rows)-1].Step)
		})
	}
}

// Ctrl-C ends what keeps no checkpoint in a sentence too.
func TestInterruptedWork(t *testing.T) {
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	cmd := stochdepth(t, "eval", "shapes-20-linear-0.7", "--passes", "100000")
	read, write := io.Pipe()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = write, write
	require.NoError(t, cmd.Start())
	began, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		buffer, begin := make([]byte, 4096), sync.OnceFunc(func() { close(began) })
		for {
			n, err := read.Read(buffer)
			said.Write(buffer[:n])
			if strings.Contains(said.String(), "passes") {
				begin()
			}
			if err != nil {
				return
			}
		}
	}()
	select {
	case <-began:
	case <-time.After(time.Minute):
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.NoError(t, write.Close())
	<-done
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), said.String())
	require.Contains(t, said.String(), "stochdepth: stopped before the work was done: start the same command again\n")
}
