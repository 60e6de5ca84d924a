package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/backend"
	"stochdepth/toolkit/runs"
)

// TestMain lets the tests start this binary again as the command itself, and that its workers.
func TestMain(m *testing.M) {
	if os.Getenv("STOCHDEPTH_TEST_COMMAND") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func stochdepth(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "STOCHDEPTH_TEST_COMMAND=1")
	return cmd
}

func succeed(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// A sweep that is interrupted three times at random ends in the same bits as its runs trained alone.
func TestInterruptedSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for half a minute")
	}
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	sweepFile := filepath.Join(folder, "it.json")
	require.NoError(t, os.WriteFile(sweepFile, []byte(`{"recipe": "shapes",
		"set": {"depth": 8, "train_images": 256, "validation_images": 64, "test_images": 64, "batch_size": 32, "epochs": 3, "evaluate_every": 0, "augment": true},
		"grid": {"rule": ["linear", "uniform"], "death_rate": [0, 0.5]}}`), 0o644))
	together, alone := filepath.Join(folder, "together"), filepath.Join(folder, "alone")

	for range 3 {
		cmd := stochdepth(t, "sweep", "run", sweepFile, "--runs", together, "--workers", "2")
		require.NoError(t, cmd.Start())
		before := countRows(together)
		for deadline := time.Now().Add(20 * time.Second); countRows(together) == before && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Duration(rand.Intn(500)) * time.Millisecond)
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		stopping := time.Now()
		err := cmd.Wait()
		var exit *exec.ExitError
		if err != nil { // or it was done already
			require.True(t, errors.As(err, &exit), "%v", err)
			require.Equal(t, 75, exit.ExitCode())
		}
		t.Logf("stopped within %s", time.Since(stopping))
	}
	succeed(t, stochdepth(t, "sweep", "run", sweepFile, "--runs", together))
	require.Contains(t, succeed(t, stochdepth(t, "sweep", "status", sweepFile, "--runs", together)), "3 runs: 3 done\n")
	require.Contains(t, succeed(t, stochdepth(t, "sweep", "results", sweepFile, "--runs", together)), "1/1")

	for _, name := range []string{"it-8-constant-s1", "it-8-linear-0.5-s1", "it-8-uniform-0.5-s1"} {
		succeed(t, stochdepth(t, "train", "--recipe", filepath.Join(together, name, "recipe.json"), "--run", name, "--runs", alone))
		require.Equal(t, ending(t, filepath.Join(alone, name)), ending(t, filepath.Join(together, name)), name)
	}
}

// countRows counts the rows of all runs so far.
func countRows(root string) (rows int) {
	list, _ := runs.List(root)
	for _, run := range list {
		rows += len(run.Rows)
	}
	return rows
}

// ending is what a run ended in: its rows but for the seconds, and all variables' bits of both checkpoints.
func ending(t *testing.T, dir string) []string {
	t.Helper()
	run, err := runs.Open(dir)
	require.NoError(t, err)
	require.Len(t, run.Rows, run.Recipe.Epochs)
	var all []string
	for _, row := range run.Rows {
		row.Seconds = 0
		all = append(all, fmt.Sprintf("%x", row))
	}
	for _, name := range []string{"last", "best"} {
		handler, err := checkpoint.Load(model.NewStore()).Dir(filepath.Join(dir, "checkpoint", name)).ExcludeAllParams().Done()
		require.NoError(t, err)
		sums := make(map[string]string)
		for path, value := range handler.LoadedVariables() {
			require.NoError(t, value.ConstBytes(func(data []byte) { sums[path] = fmt.Sprintf("%x", sha256.Sum256(data)) }))
		}
		require.Contains(t, sums, "var:/network/group1/kernel1")
		all = append(all, name, fmt.Sprint(sums)) // printed by ascending keys
	}
	return all
}

func TestSweepTask(t *testing.T) {
	folder := t.TempDir()
	sweepFile := filepath.Join(folder, "it.json")
	require.NoError(t, os.WriteFile(sweepFile, []byte(`{"dataset": "cifar10", "depth": [8, 14], "epochs": 1}`), 0o644))
	task := func(environment ...string) string {
		t.Helper()
		cmd := stochdepth(t, "sweep", "task", sweepFile, "--runs", filepath.Join(folder, "runs"), "--data-root", filepath.Join(folder, "none"))
		cmd.Env = append(cmd.Env, environment...)
		out, err := cmd.CombinedOutput()
		require.EqualError(t, err, "exit status 1", string(out))
		return string(out)
	}
	require.Contains(t, task(), "which run?")
	require.Contains(t, task("SLURM_ARRAY_TASK_ID=2"), `the index "2" is none of this sweep's: they are 0 to 1`)
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	out := task("JOB_COMPLETION_INDEX=1")
	require.Contains(t, out, "it-14-constant-s1: failed, ")
	status := succeed(t, stochdepth(t, "sweep", "status", sweepFile, "--runs", filepath.Join(folder, "runs")))
	require.Contains(t, status, "2 runs: 1 failed, 1 left")
	require.Contains(t, strings.Split(status, "\n")[2], "cifar10") // why
}
