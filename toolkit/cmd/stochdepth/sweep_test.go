package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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

// ending is what a run ended in: its rows but for the seconds, the numbers of its result, all variables' bits of both
// checkpoints, and which files there are.
func ending(t *testing.T, dir string) []string {
	t.Helper()
	run, err := runs.Open(dir)
	require.NoError(t, err)
	require.Len(t, run.Rows, run.Recipe.Epochs*run.Recipe.TrainImages/run.Recipe.BatchSize/run.Recipe.EvaluateEvery)
	var all []string
	for _, row := range run.Rows {
		row.Seconds = 0
		all = append(all, fmt.Sprintf("%x", row))
	}
	r := run.Result
	all = append(all, fmt.Sprint(r.BestEpoch, r.ValidationError, r.TestError, r.Epochs, r.Steps, r.Completed, r.Status, r.Message))
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
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if strings.HasPrefix(name, ".failed.json.") { // the next writer removes it, and a finished run has none
			return err
		}
		name = checkpointName.ReplaceAllString(name, "checkpoint-N")
		all = append(all, lockName.ReplaceAllString(name, "lock.N"))
		return err
	}))
	return all
}

// GoMLX names a checkpoint's files by the time, and locks are counted.
var checkpointName, lockName = regexp.MustCompile(`checkpoint-n[\w-]*`), regexp.MustCompile(`^lock\.\d+$`)

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
