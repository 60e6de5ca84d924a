package sweep

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/runs"
)

// optionsOf returns a batch script's options of sbatch.
func optionsOf(script string) (options []string) {
	for _, match := range regexp.MustCompile(`(?m)^#SBATCH (.*)$`).FindAllStringSubmatch(script, -1) {
		options = append(options, match[1])
	}
	return options
}

func TestSlurmScript(t *testing.T) {
	root := t.TempDir()
	s, err := Read(write(t, "it", `{"recipe": "shapes", "set": {"epochs": 2}, "grid": {"seed": [1, 2, 3, 4, 5, 6]}}`))
	require.NoError(t, err)
	finish(t, root, s.Jobs[1], runs.Row{Epoch: 2, Step: 20})
	o := SlurmOptions{Command: []string{"/my bin/stochdepth"}, Root: "/it's", Runs: root, DataRoot: "/data",
		Logs: "/logs/it-%A_%a.log", Partition: "gpu", Time: 90*time.Minute - time.Second, CPUs: 4, Memory: "8G", GPUs: 1,
		AtOnce: 3, Extra: []string{"--account=mine"}}
	scripts, err := s.Slurm(o)
	require.NoError(t, err)
	require.Len(t, scripts, 1)
	script := scripts[0]
	require.Equal(t, []string{"--job-name=it", "--array=0,2-5%3", "--nodes=1 --ntasks=1", "--requeue", "--open-mode=append",
		`--output="/logs/it-%A_%a.log"`, "--partition=gpu", "--time=90", "--cpus-per-task=4", "--mem=8G", "--gpus-per-task=1", "--account=mine"}, optionsOf(script))
	require.Contains(t, script, `export STOCHDEPTH_ROOT='/it'\''s'`)
	require.Contains(t, script,
		`'/my bin/stochdepth' 'sweep' 'task' '`+s.Path+`' '--runs' '`+root+`' '--data-root' '/data' '--max-time' '1h27m59s' &`)
	out, err := exec.Command("bash", "-n", "-c", script).CombinedOutput()
	require.NoError(t, err, string(out))

	// It may be submitted in another folder.
	here, err := os.Getwd()
	require.NoError(t, err)
	scripts, err = s.Slurm(SlurmOptions{Command: o.Command, Runs: "runs", DataRoot: "../cache", Logs: "out/%A.log"})
	require.NoError(t, err)
	require.Contains(t, scripts[0], "'--runs' '"+filepath.Join(here, "runs")+"' '--data-root' '"+filepath.Join(here, "../cache")+"'")
	require.Contains(t, optionsOf(scripts[0]), `--output="`+filepath.Join(here, "out/%A.log")+`"`)

	for _, program := range []string{"/tmp/go-build3697500979/b001/exe/stochdepth", "/root/.cache/go-build/ab/abcd-d/stochdepth"} {
		_, err = s.Slurm(SlurmOptions{Command: []string{program}, Runs: root})
		require.ErrorContains(t, err, "build it first: go build -o .bin/stochdepth ./toolkit/cmd/stochdepth")
	}
	_, err = s.Slurm(SlurmOptions{Runs: root, Time: time.Minute})
	require.ErrorContains(t, err, "too short")
	for _, job := range s.Jobs[2:] {
		finish(t, root, job, runs.Row{Epoch: 2, Step: 20})
	}
	finish(t, root, s.Jobs[0], runs.Row{Epoch: 2, Step: 20})
	_, err = s.Slurm(SlurmOptions{Runs: root})
	require.EqualError(t, err, "all runs of the sweep are done")
}

// A sweep with more runs than an array may have becomes several arrays, whose indices are below the limit; a task adds
// the offset of its array. Arrays with finished runs only are left out.
func TestSlurmArraysAreBelowTheLimit(t *testing.T) {
	s, err := Read(write(t, "it", `{"recipe": "shapes", "grid": {"seed": `+list(2100)+`}}`))
	require.NoError(t, err)
	root := t.TempDir()
	program := filepath.Join(root, "task")
	// The index follows sweep task FILE --runs FOLDER.
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho task ${6:-$SLURM_ARRAY_TASK_ID}\n"), 0o755))
	for size, want := range map[int][]string{0: {"0-1000", "0-1000", "0-97"}, 2100: {"0-2099"}, 1500: {"0-1499", "0-599"}} {
		scripts, err := s.Slurm(SlurmOptions{Command: []string{program}, Runs: root, ArraySize: size})
		require.NoError(t, err)
		require.Len(t, scripts, len(want))
		for i, script := range scripts {
			require.Contains(t, optionsOf(script), "--array="+want[i])
			cmd := exec.Command("bash", "-c", script)
			cmd.Env = append(os.Environ(), "SLURM_ARRAY_JOB_ID=5", "SLURM_ARRAY_TASK_ID=7")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), fmt.Sprintf("\ntask %d\n", i*cmp.Or(size, DefaultArraySize)+7))
		}
	}

	few, err := Read(write(t, "it", `{"grid": {"seed": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}`))
	require.NoError(t, err)
	for _, job := range few.Jobs {
		if job.Index < 4 || job.Index == 8 {
			finish(t, root, job, runs.Row{Epoch: 1, Step: 1})
		}
	}
	scripts, err := few.Slurm(SlurmOptions{Command: []string{program}, Runs: root, AtOnce: 8, ArraySize: 4})
	require.NoError(t, err)
	require.Len(t, scripts, 2)
	require.Contains(t, optionsOf(scripts[0]), "--array=0-3%8")
	require.Contains(t, scripts[0], "$((SLURM_ARRAY_TASK_ID + 4))")
	require.Contains(t, optionsOf(scripts[1]), "--array=1%8")
	require.Contains(t, scripts[1], "$((SLURM_ARRAY_TASK_ID + 8))")
}

// fake puts programs into a folder of the PATH: shell scripts, by their names.
func fake(t *testing.T, programs map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, script := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/bash\n"+script+"\n"), 0o755))
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	return folder
}

func TestAskingSlurm(t *testing.T) {
	folder := fake(t, map[string]string{
		"scontrol": `printf 'MaxArrayTasks           = 7\nMaxArraySize            = 4001\nMaxJobCount             = 10000\n'`,
		"sbatch":   `echo "$@" >&2; echo Submitted batch job 17; echo a warning >&2`,
	})
	size, known := ArraySize(t.Context())
	require.Equal(t, 4001, size)
	require.True(t, known)
	answer, err := Submit(t.Context(), "/a.sbatch", "")
	require.NoError(t, err)
	require.Equal(t, "/a.sbatch\nSubmitted batch job 17\na warning\n", answer)
	answer, err = Submit(t.Context(), "/a-2.sbatch", answer)
	require.NoError(t, err)
	require.Contains(t, answer, "--dependency=afterany:17 /a-2.sbatch\n")

	require.NoError(t, os.WriteFile(filepath.Join(folder, "scontrol"), []byte("#!/bin/sh\nexit 1\n"), 0o755)) // no controller
	_, known = ArraySize(t.Context())
	require.False(t, known)
	t.Setenv("PATH", t.TempDir())
	_, known = ArraySize(t.Context())
	require.False(t, known)
	_, err = Submit(t.Context(), "/a.sbatch", "")
	require.ErrorContains(t, err, "there is no sbatch on this machine")
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"2h": 2 * time.Hour, "1h30m": 90 * time.Minute, "-1h": -time.Hour, "0": 0, // Go's
		"90": 90 * time.Minute, "5:30": 5*time.Minute + 30*time.Second, "2:00:00": 2 * time.Hour, "1:02:03": time.Hour + 2*time.Minute + 3*time.Second,
		"1-12": 36 * time.Hour, "1-12:30": 36*time.Hour + 30*time.Minute, "0-0:06:10": 6*time.Minute + 10*time.Second, "7-0": 168 * time.Hour,
	} {
		got, err := ParseTime(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "2 hours", "1:2:3:4", "1-", "-1", "1--2", ":30", "1-1-1", "9999999", "2:00h"} {
		_, err := ParseTime(text)
		require.EqualError(t, err, strconv.Quote(text)+" is no time: give one such as 90m or 2h, or as Slurm has it, 90, "+
			"2:00:00 or 1-12:00")
	}
}

// A batch script that alone gets a signal passes it on at once, and waits for the end of its task. It requeues only a
// task that ended by itself: at its time limit, or killed, but not the fourth time.
func TestSlurmScriptSignals(t *testing.T) {
	s, err := Read(write(t, "it", `{"grid": {"depth": [8]}}`))
	require.NoError(t, err)
	folder := fake(t, map[string]string{
		"scontrol": `echo "$@" >> "${0%/*}/requeued"`,
		"task":     `trap 'sleep 0.2; echo saved; exit 75' TERM; echo begun; for i in {1..600}; do sleep 0.05; done`,
		"stops":    `exit 75`,
		"killed":   `kill -KILL $$`,
		"fails":    `exit 1`,
	})
	const requeued = "requeue 5_0\n"
	for name, test := range map[string]struct {
		program, restarts string
		signals           int
		status            int
		requeued          string
	}{
		"signalled":         {"task", "0", 1, 75, ""},
		"signalled twice":   {"task", "0", 2, 75, ""},
		"at its time limit": {"stops", "9", 0, 75, requeued},
		"killed":            {"killed", "2", 0, 137, requeued},
		"killed once more":  {"killed", "3", 0, 137, ""},
		"failed":            {"fails", "0", 0, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			os.Remove(filepath.Join(folder, "requeued"))
			scripts, err := s.Slurm(SlurmOptions{Command: []string{filepath.Join(folder, test.program)}, Runs: folder})
			require.NoError(t, err)
			cmd := exec.Command("bash", "-c", scripts[0])
			cmd.Env = append(os.Environ(), "SLURM_ARRAY_JOB_ID=5", "SLURM_ARRAY_TASK_ID=0", "SLURM_RESTART_COUNT="+test.restarts)
			output, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewReader(output)
			_, err = lines.ReadString('\n') // of the script
			require.NoError(t, err)
			started := time.Now()
			if test.signals > 0 {
				_, err = lines.ReadString('\n') // the task has begun
				require.NoError(t, err)
			}
			for range test.signals {
				require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
				time.Sleep(50 * time.Millisecond)
			}
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			cmd.Wait()
			require.Equal(t, test.status, cmd.ProcessState.ExitCode(), string(rest))
			require.Equal(t, test.signals > 0, strings.Contains(string(rest), "saved\n"))
			require.Less(t, time.Since(started), 15*time.Second)
			again, _ := os.ReadFile(filepath.Join(folder, "requeued"))
			require.Equal(t, test.requeued, string(again))
		})
	}
}

// TestSlurm submits a sweep to a real Slurm on this machine, cancels it, submits it again, kills one task, requeues
// another, and waits for the end.
func TestSlurm(t *testing.T) {
	if os.Getenv("STOCHDEPTH_SLURM") == "" {
		t.Skip("set STOCHDEPTH_SLURM=1 to start a Slurm on this machine (as root, with Debian's packages slurm-wlm and munge) and " +
			"train with it for two minutes")
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
	_, err = Submit(t.Context(), filepath.Join(folder, "none"), "")
	require.ErrorContains(t, err, "sbatch refused")
}

// holder returns the process that writes a run, as its claim says.
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
