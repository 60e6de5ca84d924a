package sweep

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/project"
	"stochdepth/toolkit/runs"
)

func TestSlurmScript(t *testing.T) {
	root := t.TempDir()
	s, err := Read(write(t, "it", `{"recipe": "shapes", "set": {"epochs": 2}, "grid": {"seed": [1, 2, 3, 4, 5, 6]}}`))
	require.NoError(t, err)
	finish(t, root, s.Jobs[1], runs.Row{Epoch: 2, Step: 20})
	script, err := s.Slurm(SlurmOptions{Command: []string{"/my bin/stochdepth"}, Root: "/it's", Runs: root, DataRoot: "/data", Logs: "/logs/it-%A_%a.log",
		Partition: "gpu", Time: 90 * time.Minute, CPUs: 4, Memory: "8G", GPUs: 1, AtOnce: 3, Extra: []string{"--account=mine"}})
	require.NoError(t, err)
	var options []string
	for _, match := range regexp.MustCompile(`(?m)^#SBATCH (.*)$`).FindAllStringSubmatch(script, -1) {
		options = append(options, match[1])
	}
	require.Equal(t, []string{"--job-name=it", "--array=0,2-5%3", "--nodes=1 --ntasks=1", "--requeue", "--open-mode=append",
		`--output="/logs/it-%A_%a.log"`, "--partition=gpu", "--time=90", "--cpus-per-task=4", "--mem=8G", "--gpus-per-task=1", "--account=mine"}, options)
	require.Contains(t, script, `export STOCHDEPTH_ROOT='/it'\''s'`)
	require.Contains(t, script, `'/my bin/stochdepth' 'sweep' 'task' '`+s.Path+`' '--runs' '`+root+`' '--data-root' '/data' '--max-time' '1h28m0s'`)
	out, err := exec.Command("bash", "-n", "-c", script).CombinedOutput()
	require.NoError(t, err, string(out))

	_, err = s.Slurm(SlurmOptions{Runs: root, Time: time.Minute})
	require.ErrorContains(t, err, "too short")
	for _, job := range s.Jobs[2:] {
		finish(t, root, job, runs.Row{Epoch: 2, Step: 20})
	}
	finish(t, root, s.Jobs[0], runs.Row{Epoch: 2, Step: 20})
	_, err = s.Slurm(SlurmOptions{Runs: root})
	require.EqualError(t, err, "all runs of the sweep are done")
}

// TestSlurm submits a sweep to a real Slurm on this machine, cancels it, submits it again, kills one task, requeues
// another, and waits for the end.
func TestSlurm(t *testing.T) {
	if os.Getenv("STOCHDEPTH_SLURM") == "" {
		t.Skip("set STOCHDEPTH_SLURM=1 to start a Slurm on this machine (as root, with Debian's packages slurm-wlm and munge) and train with it for two minutes")
	}
	for _, program := range []string{"sbatch", "slurmctld", "slurmd", "munged"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs Debian's packages slurm-wlm and munge: there is no " + program)
		}
	}
	root, err := project.Root()
	require.NoError(t, err)
	t.Setenv(project.EnvRoot, root)
	folder, err := os.MkdirTemp("", "slurm")
	require.NoError(t, err)
	defer func() {
		if !t.Failed() {
			os.RemoveAll(folder)
		}
	}()
	require.NoError(t, os.Chmod(folder, 0o755)) // munged runs as another user
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		require.NoError(t, err, string(out))
		t.Logf("%s $ %s %s\n%s", time.Now().Format(time.TimeOnly), filepath.Base(name), strings.Join(args, " "), out)
		return string(out)
	}
	program := filepath.Join(folder, "stochdepth")
	run("go", "build", "-o", program, "stochdepth/toolkit/cmd/stochdepth")
	defer exec.Command("testdata/slurm.sh", "stop", folder+"/slurm").Run()
	run("testdata/slurm.sh", "start", folder+"/slurm")
	t.Setenv("SLURM_CONF", folder+"/slurm/slurm.conf")

	s, err := Read(write(t, "array", `{"recipe": "shapes", "set": {"depth": 8, "train_images": 256, "validation_images": 64, "test_images": 64,
		"batch_size": 32, "evaluate_every": 0, "epochs": 25}, "grid": {"death_rate": [0, 0.5], "seed": [1, 2]}}`))
	require.NoError(t, err)
	runsRoot := filepath.Join(folder, "runs")
	submit := func() string {
		out := run(program, "sweep", "slurm", s.Path, "--runs", runsRoot, "--file", filepath.Join(folder, "array.sbatch"))
		return strings.TrimSpace(out[strings.LastIndex(out, " "):])
	}
	status := func(job int) Status { return s.Status(runsRoot)[job] }
	begun := func(job, rows int) {
		require.Eventually(t, func() bool {
			status := status(job)
			return status.State == Done || status.State == Running && len(status.Run.Rows) >= rows
		}, 2*time.Minute, 50*time.Millisecond)
		require.Equal(t, Running, status(job).State, "it ended too soon for this test")
	}
	queueEmpty := func() bool { return strings.TrimSpace(run("squeue", "--noheader", "--array")) == "" }

	array := submit()
	begun(0, 2)
	run("scancel", array)
	require.Eventually(t, queueEmpty, time.Minute, time.Second)
	require.Equal(t, Stopped, status(0).State, "cancelled: at a checkpoint, and not queued again")

	array = submit()
	rows := len(status(0).Run.Rows)
	begun(0, rows+2)
	begun(1, 2)
	killed := holder(t, status(0))
	require.NoError(t, syscall.Kill(killed, syscall.SIGKILL))
	t.Logf("killed process %d of task 0", killed)
	run("scontrol", "requeue", array+"_1")
	run("squeue", "--array")
	require.Eventually(t, queueEmpty, 4*time.Minute, 5*time.Second)

	require.Equal(t, "4 runs: 4 done", Summary(s.Status(runsRoot)))
	for i, want := range []string{"ended with status 137, requeueing it", "stopped at step", "start 1", "start 1"} {
		log, err := os.ReadFile(filepath.Join(folder, s.Name+"-"+array+"_"+string(rune('0'+i))+".log"))
		require.NoError(t, err)
		t.Logf("Log of task %d:\n%s", i, log)
		require.Contains(t, string(log), want)
		require.Equal(t, i < 2, strings.Contains(string(log), "start 2"))
	}
	_, err = s.Slurm(SlurmOptions{Runs: runsRoot})
	require.EqualError(t, err, "all runs of the sweep are done")
	_, err = Submit(context.Background(), filepath.Join(folder, "none"))
	require.ErrorContains(t, err, "sbatch refused")
}

// holder is the process that writes a run, by its claim.
func holder(t *testing.T, status Status) int {
	t.Helper()
	claims, err := filepath.Glob(filepath.Join(status.Run.Dir, "lock.*"))
	require.NoError(t, err)
	require.Len(t, claims, 1)
	data, err := os.ReadFile(claims[0])
	require.NoError(t, err)
	var claim struct{ PID int }
	require.NoError(t, json.Unmarshal(data, &claim))
	require.NotZero(t, claim.PID)
	return claim.PID
}
