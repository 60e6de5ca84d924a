package commands

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/sweep"
)

// TestMain lets the tests start this binary as the command, which starts it again for its workers.
func TestMain(m *testing.M) {
	if os.Getenv("STOCHDEPTH_TEST_COMMAND") != "" {
		Main()
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

// ending returns the final state of a run: its rows without the seconds, the numbers of its result, the bits of all variables
// of both checkpoints, and the names of its files.
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
		cmd := stochdepth(t, "sweep", "task", sweepFile, "--runs", filepath.Join(folder, "runs"),
			"--data-root", filepath.Join(folder, "none"))
		cmd.Env = append(cmd.Env, environment...)
		out, err := cmd.CombinedOutput()
		require.EqualError(t, err, "exit status 1", string(out))
		return string(out)
	}
	require.Contains(t, task(), "which run?")
	require.Contains(t, task("SLURM_ARRAY_TASK_ID=2"), `the index "2" is not one of this sweep's: they are 0 to 1`)
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	out := task("JOB_COMPLETION_INDEX=1")
	require.Contains(t, out, "it/14-constant-s1: failed, ")
	status := succeed(t, stochdepth(t, "sweep", "status", sweepFile, "--runs", filepath.Join(folder, "runs")))
	require.Contains(t, status, "2 runs: 1 failed, 1 left")
	require.Contains(t, strings.Split(status, "\n")[2], "cifar10") // why
}

// A cluster's task may get the signal to end more than once, from the scheduler and its script: it still saves a checkpoint,
// and asks to be started again.
func TestSweepTaskIsToldTwice(t *testing.T) {
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	sweepFile, runsFolder := filepath.Join(folder, "it.json"), filepath.Join(folder, "runs")
	require.NoError(t, os.WriteFile(sweepFile, []byte(`{"dataset": "shapes", "epochs": 100000, "batch_size": 16, "evaluate_every": 0, "train_images": 64,
		"validation_images": 32, "test_images": 32, "depth": [8]}`), 0o644))
	cmd := stochdepth(t, "sweep", "task", sweepFile, "0", "--runs", runsFolder)
	var out bytes.Buffer
	cmd.Stderr = &out
	require.NoError(t, cmd.Start())
	var run *runs.Run
	require.Eventually(t, func() bool {
		var err error
		run, err = runs.Open(filepath.Join(runsFolder, "it/8-constant-s1"))
		return err == nil && len(run.Rows) > 0
	}, time.Minute, 10*time.Millisecond)
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	for running := true; running; {
		select {
		case <-ended:
			running = false
		case <-time.After(time.Millisecond):
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	require.Equal(t, 75, cmd.ProcessState.ExitCode(), out.String())
	run, err := runs.Open(run.Dir)
	require.NoError(t, err)
	require.Equal(t, "stopped", run.Status())
}

// Each of several job arrays has its own file, and they wait for each other if the number of tasks at once is limited.
func TestSubmitArrays(t *testing.T) {
	folder := t.TempDir()
	sbatch := "#!/bin/sh\necho \"$@\" >> " + folder + "/asked\nwc -l < " + folder + "/asked | sed 's/^ */Submitted batch job 10/'\n"
	require.NoError(t, os.WriteFile(filepath.Join(folder, "sbatch"), []byte(sbatch), 0o755))
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	file := filepath.Join(folder, "a.b.sbatch")
	submit := func(oneByOne, submit bool) string {
		_ = os.Remove(filepath.Join(folder, "asked"))
		var out bytes.Buffer
		cmd := command()
		cmd.SetContext(t.Context())
		cmd.SetOut(&out)
		require.NoError(t, submitArrays(cmd, file, []string{"one", "two", "three"}, oneByOne, submit))
		asked, _ := os.ReadFile(filepath.Join(folder, "asked"))
		return strings.ReplaceAll(out.String()+string(asked), folder, "")
	}
	const wrote = "wrote /a.b.sbatch\nwrote /a.b-2.sbatch\nwrote /a.b-3.sbatch\n"
	const answers = "Submitted batch job 101\nSubmitted batch job 102\nSubmitted batch job 103\n"
	require.Equal(t, wrote, submit(false, false))
	require.Equal(t, wrote+answers+"/a.b.sbatch\n/a.b-2.sbatch\n/a.b-3.sbatch\n", submit(false, true))
	require.Equal(t, wrote+answers+"/a.b.sbatch\n--dependency=afterany:101 /a.b-2.sbatch\n--dependency=afterany:102 /a.b-3.sbatch\n",
		submit(true, true))
	text, err := os.ReadFile(filepath.Join(folder, "a.b-3.sbatch"))
	require.NoError(t, err)
	require.Equal(t, "three", string(text))

	require.Equal(t, "2 job arrays, of 4,001 tasks at most (MaxArraySize)",
		severalArrays(sweep.SlurmOptions{ArraySize: 4001}, 2, true, true))
	require.Equal(t, "3 job arrays, of 1,001 tasks at most "+
		"(Slurm's default: there is no scontrol to ask; --array-size sets another): submit each when the previous one has ended, since --at-once applies to each array",
		severalArrays(sweep.SlurmOptions{AtOnce: 4}, 3, false, false))
}
