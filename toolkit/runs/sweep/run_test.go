package sweep

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
)

// TestMain lets the tests start this binary again as a worker that pretends to train.
func TestMain(m *testing.M) {
	if os.Getenv("SWEEP_TEST_LOG") == "" {
		os.Exit(m.Run())
	}
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	if err := Work(ctx, os.Stdin, os.Stdout, pretend); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pretend writes a row for each epoch, and a line for each row to SWEEP_TEST_LOG. A file "fail", "crash", "panic",
// "stubborn" or "late" (a crash after the end) beside the log names the run that does so.
func pretend(ctx context.Context, o Order, report func(Report)) Report {
	log := os.Getenv("SWEEP_TEST_LOG")
	misbehaves := func(how string) bool {
		name, _ := os.ReadFile(filepath.Join(filepath.Dir(log), how))
		return string(name) == o.Name
	}
	w, err := runs.Create(o.Dir, o.Recipe)
	var locked runs.ErrLocked
	if errors.As(err, &locked) {
		return Report{End: Elsewhere, Message: err.Error()}
	} else if err != nil {
		return Report{End: Error, Message: err.Error()}
	}
	defer w.Close()
	switch {
	case misbehaves("fail"):
		return Report{End: Error, Message: "out of luck"}
	case misbehaves("crash"):
		fmt.Fprintln(os.Stderr, "first\nthe heap is gone")
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case misbehaves("panic"):
		panic("out of range, deeply")
	case misbehaves("stubborn"):
		ctx = context.Background()
		time.Sleep(time.Minute)
	}
	for epoch := len(w.Rows()) + 1; epoch <= o.Recipe.Epochs; epoch++ {
		report(Report{Phase: "training", Step: int64(epoch - 1), Steps: int64(o.Recipe.Epochs)})
		select {
		case <-ctx.Done():
			w.WriteResult(runs.Result{Status: "stopped"})
			return Report{End: Interrupt, Message: "at a checkpoint"}
		case <-time.After(15 * time.Millisecond):
		}
		if err := w.Append(runs.Row{Epoch: float64(epoch), Step: int64(epoch), Seconds: 1}); err != nil {
			return Report{End: Error, Message: err.Error()}
		}
		file, _ := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		fmt.Fprintln(file, o.Name, epoch)
		file.Close()
	}
	w.WriteResult(runs.Result{Status: "finished", Completed: true, Steps: int64(o.Recipe.Epochs)})
	if misbehaves("late") {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return Report{End: Finished, Message: "well"}
}

// twelve is a sweep of 12 runs of 6 epochs each, with a folder for its runs and the workers' log.
func twelve(t *testing.T) (*Sweep, Options, string) {
	t.Helper()
	s, err := Read(write(t, "it", `{"recipe": "shapes", "set": {"epochs": 6},
		"grid": {"death_rate": [0.1, 0.2, 0.3, 0.4], "seed": [1, 2, 3]}}`))
	require.NoError(t, err)
	folder := t.TempDir()
	t.Setenv("SWEEP_TEST_LOG", filepath.Join(folder, "log"))
	pollEvery = 20 * time.Millisecond
	return s, Options{Runs: filepath.Join(folder, "runs"), Command: []string{os.Args[0]}, Slots: make([]Slot, 2)}, folder
}

// requireTrainedOnce checks that every epoch of every run was trained, and none twice.
func requireTrainedOnce(t *testing.T, s *Sweep, o Options, folder string) {
	t.Helper()
	for _, status := range s.Status(o.Runs) {
		require.Equal(t, Done, status.State, status.Name)
		require.Len(t, status.Run.Rows, status.Recipe.Epochs)
	}
	data, err := os.ReadFile(filepath.Join(folder, "log"))
	require.NoError(t, err)
	seen := make(map[string]int)
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		seen[line]++
	}
	require.Len(t, seen, 6*len(s.Jobs))
	for line, times := range seen {
		require.Equal(t, 1, times, line)
	}
}

// The time that remains follows from the runs that are made and from what the workers say of theirs; the start of a run, with
// its compilation, says nothing of its speed.
func TestRemainingTimeOfASession(t *testing.T) {
	s, o, _ := twelve(t)
	var p Progress
	o.OnProgress = func(now Progress) { p = now }
	for i := range s.Jobs { // of equal weights
		s.Jobs[i].Recipe.DeathRate = 0
	}
	r := &session{Options: o, sweep: s, statuses: s.Status(o.Runs), tried: make([]bool, 12), running: make([]*Activity, 2),
		began: make([]time.Time, 2)}
	for slot := range 2 {
		_, found, _ := r.pick(slot)
		require.True(t, found)
	}
	require.Zero(t, p.Remaining)
	r.note(0, Report{Phase: "training", Step: 1, Steps: 1000})
	require.Zero(t, p.Remaining, "a step is done, but its run does not know its speed yet")
	r.note(0, Report{Phase: "training", Step: 100, Steps: 1000, Remaining: 90 * time.Second})
	require.InDelta(t, (11.9*100)/2, p.Remaining.Seconds(), 1e-6, "100 s a run, by two workers")

	// The first run is made, in 130 s with its start, and the next compiles.
	r.began[0] = time.Now().Add(-130 * time.Second)
	r.note(1, Report{Phase: "training", Step: 900, Steps: 1000, Remaining: 10 * time.Second})
	r.end(0, s.Jobs[0], Report{End: Finished})
	r.statuses[0].State = Done
	_, found, _ := r.pick(0)
	require.True(t, found)
	require.InDelta(t, 140/1.1*10.1/2, p.Remaining.Seconds(), 0.5)

	// A long run alone takes its time, whatever the average.
	for i := range r.statuses {
		if r.activity(r.statuses[i].Name) == nil {
			r.statuses[i].State = Done
		}
	}
	r.note(1, Report{Phase: "training", Step: 990, Steps: 1000, Remaining: time.Hour})
	require.Equal(t, time.Hour, p.Remaining)
}

func TestInterruptedSweepGoesOn(t *testing.T) {
	s, o, folder := twelve(t)
	var last Progress
	o.OnProgress = func(p Progress) { last = p }
	interrupted := 0
	for interrupted < 3 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(50+rand.Intn(100))*time.Millisecond)
		err := s.Run(ctx, o)
		cancel()
		require.ErrorIs(t, err, ErrStopped)
		require.ErrorContains(t, err, "start the same command again to go on")
		interrupted++
	}
	require.NoError(t, s.Run(context.Background(), o))
	requireTrainedOnce(t, s, o, folder)
	require.Equal(t, 12, last.Counts[Done])
	require.Equal(t, 1.0, last.Part)
	require.Empty(t, last.Running)
	require.NoError(t, s.Run(context.Background(), o), "nothing is left to do")
	requireTrainedOnce(t, s, o, folder)
}

// A sweep that was begun when runs were named with dashes alone goes on with these names. So does one whose folder is
// itself a run.
func TestSweepGoesOnWithDashes(t *testing.T) {
	s, o, folder := twelve(t)
	s.Jobs = s.Jobs[:3]
	dashed := func(i int) string { return filepath.Join(o.Runs, runs.Dashed(s.Jobs[i].Name)) }
	w, err := runs.Create(dashed(0), s.Jobs[0].Recipe)
	require.NoError(t, err)
	require.NoError(t, w.Append(runs.Row{Epoch: 1, Step: 1, Seconds: 1}))
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(filepath.Join(folder, "log"), []byte(s.Jobs[0].Name+" 1\n"), 0o644))
	require.NoError(t, writeFailure(dashed(1), "no disk"))
	require.Equal(t, "3 runs: 1 stopped, 1 failed, 1 left", Summary(s.Status(o.Runs)))
	o.Retry = true
	require.NoError(t, s.Run(t.Context(), o))
	requireTrainedOnce(t, s, o, folder)
	for i, status := range s.Status(o.Runs) {
		require.Equal(t, i < 2, status.Run.Name == runs.Dashed(status.Job.Name))
		require.Equal(t, i >= 2, status.Run.Name == status.Job.Name)
	}

	s, o, folder = twelve(t)
	s.Jobs = s.Jobs[:3]
	w, err = runs.Create(filepath.Join(o.Runs, "it"), s.Jobs[0].Recipe)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, s.Run(t.Context(), o))
	requireTrainedOnce(t, s, o, folder)
	require.DirExists(t, dashed(0))
}

func TestTwoSweepsAtOnce(t *testing.T) {
	s, o, folder := twelve(t)
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- s.Run(context.Background(), o) }()
	}
	for range 2 {
		require.NoError(t, <-ended)
		// Whoever ends first has waited for the runs of the other.
		require.Equal(t, 12, Count(s.Status(o.Runs))[Done])
	}
	requireTrainedOnce(t, s, o, folder)
}

func TestFailingRunsLeaveTheOthersGoing(t *testing.T) {
	s, o, folder := twelve(t)
	misbehave := func(how string, job int) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, how), []byte(s.Jobs[job].Name), 0o644))
	}
	misbehave("fail", 0)
	misbehave("crash", 5)
	var failures []string
	o.OnProgress = func(p Progress) {
		if p.Ended != nil && p.Ended.End == Error {
			failures = append(failures, p.Ended.Name+": "+p.Ended.Message)
		}
	}
	err := s.Run(context.Background(), o)
	require.EqualError(t, err, "2 of 12 runs failed, the first, it/20-linear-0.9-s1: out of luck; the others are done: "+
		"the same command with --retry tries these again")
	require.ElementsMatch(t, []string{"it/20-linear-0.9-s1: out of luck", "it/20-linear-0.8-s2: " +
		"the worker was killed, which the system does when memory runs out: the heap is gone"}, failures)
	require.Equal(t, "12 runs: 10 done, 2 failed", Summary(s.Status(o.Runs)))

	require.NoError(t, os.Remove(filepath.Join(folder, "crash")))
	require.ErrorContains(t, s.Run(context.Background(), o), "2 of 12 runs failed", "failed ones are left alone")
	o.Retry = true
	require.ErrorContains(t, s.Run(context.Background(), o), "1 of 12 runs failed", "still so, and tried once only")
	require.NoError(t, os.Remove(filepath.Join(folder, "fail")))
	require.NoError(t, s.Run(context.Background(), o))
	requireTrainedOnce(t, s, o, folder)
	require.NoFileExists(t, filepath.Join(o.Runs, s.Jobs[0].Name, failureFile))
}

// A worker that is killed when its run is finished, before it says so, has not failed.
func TestKilledAfterTheEnd(t *testing.T) {
	s, o, folder := twelve(t)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "late"), []byte(s.Jobs[0].Name), 0o644))
	require.NoError(t, s.Run(context.Background(), o))
	requireTrainedOnce(t, s, o, folder)
	require.NoFileExists(t, filepath.Join(o.Runs, s.Jobs[0].Name, failureFile))
}

func TestChangedSweepIsNotMixed(t *testing.T) {
	s, o, _ := twelve(t)
	require.NoError(t, s.Run(context.Background(), o))
	changed, err := Read(write(t, "it", `{"recipe": "shapes", "set": {"epochs": 7},
		"grid": {"death_rate": [0.1, 0.2, 0.3, 0.4, 0.5], "seed": [1]}}`))
	require.NoError(t, err)
	err = changed.Run(context.Background(), o)
	require.ErrorContains(t, err, "the sweep file has changed: 4 of its runs are there with another recipe, as "+
		"it/20-linear-0.9-s1 (epochs: 6, 7)")
	require.Equal(t, "5 runs: 4 changed, 1 left", Summary(changed.Status(o.Runs)))
	_, err = changed.Slurm(SlurmOptions{Runs: o.Runs})
	require.ErrorContains(t, err, "another recipe (epochs: 6, 7;")
}

func TestWorkerStopsWhenItsStarterIsGone(t *testing.T) {
	s, o, _ := twelve(t)
	cmd := exec.Command(os.Args[0])
	input, err := cmd.StdinPipe()
	require.NoError(t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	job := s.Jobs[0]
	job.Recipe.Epochs = 1000
	fmt.Fprintf(input, `{"name": "x", "dir": %q, "recipe": %s}`+"\n", filepath.Join(o.Runs, "x"), jsonOf(t, job.Recipe))
	lines := bufio.NewReader(output)
	_, err = lines.ReadString('\n') // it works
	require.NoError(t, err)
	require.NoError(t, input.Close())
	var last string
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		last = line
	}
	require.NoError(t, cmd.Wait())
	require.Contains(t, last, `"end":"stopped"`)
}

// Of a crash the first line is kept, not the last line of its trace.
func TestWhyAWorkerCrashed(t *testing.T) {
	s, o, folder := twelve(t)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "panic"), []byte(s.Jobs[0].Name), 0o644))
	end := Slot{}.start(t.Context(), t.Context(), o.Command, o.order(s.Jobs[0]), func(Report) {})
	require.Equal(t, Report{End: Error, Message: "the worker ended with exit status 2: panic: out of range, deeply"}, end)
	_, err := Ask(t.Context(), o.Command, o.order(s.Jobs[0]), new(Probe))
	require.EqualError(t, err, "panic: out of range, deeply")

	for written, want := range map[string]string{
		"":                           "",
		"one\ntwo\n":                 "two",
		"one\ntwo":                   "two",
		"one\n\n \n":                 "one",
		"stochdepth: no such file\n": "stochdepth: no such file",
		"at work\nfatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [select]:\nmain.go:3 +0x65\n": "fatal error: all goroutines are asleep - deadlock!",
		"SIGSEGV: segmentation violation\nPC=0x0 m=0\n\nrax 0x0\n":                                                "SIGSEGV: segmentation violation",
		"F1130 05:00:00.0 1 pjrt.cc:7] Check failed: ok\n    @ 0x7f  main\n":                                      "F1130 05:00:00.0 1 pjrt.cc:7] Check failed: ok",
		"terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n":            "terminate called after throwing an instance of 'std::bad_alloc'",
		strings.Repeat("x",
			2000) + "\n": strings.Repeat("x", 1000),
	} {
		for _, size := range []int{1, 7, 5000} { // in pieces
			var why reason
			for rest := []byte(written); len(rest) > 0; {
				n := min(size, len(rest))
				why.Write(rest[:n])
				rest = rest[n:]
			}
			require.Equal(t, want, why.String())
		}
	}
}

// Ctrl-C between two runs, after the next was taken and before its worker started, is no failure of that run.
func TestAStopBeforeAWorkerStarts(t *testing.T) {
	s, o, _ := twelve(t)
	ctx, stop := context.WithCancel(t.Context())
	o.Slots, o.OnProgress = nil, func(p Progress) {
		if len(p.Running) > 0 && p.Running[0].Phase == "starting" {
			stop()
		}
	}
	require.ErrorIs(t, s.Run(ctx, o), ErrStopped)
	require.Equal(t, "12 runs: 12 left", Summary(s.Status(o.Runs)))
	require.NoFileExists(t, filepath.Join(o.Runs, s.Jobs[0].Name, "failed.json"))
}

func TestSecondSignalKillsAStubbornWorker(t *testing.T) {
	s, o, folder := twelve(t)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "stubborn"), []byte(s.Jobs[0].Name), 0o644))
	ctx, cancel := context.WithCancel(context.Background())
	kill, killAll := context.WithCancel(context.Background())
	ended := make(chan Report)
	go func() { ended <- Slot{}.start(ctx, kill, o.Command, o.order(s.Jobs[0]), func(Report) {}) }()
	require.Eventually(t, func() bool { return s.Status(o.Runs)[0].State == Running }, 10*time.Second, 10*time.Millisecond)
	cancel()
	select {
	case <-ended:
		t.Fatal("it obeys the first signal")
	case <-time.After(100 * time.Millisecond):
	}
	killAll()
	require.Equal(t, Interrupt, (<-ended).End)
	require.Equal(t, Stopped, s.Status(o.Runs)[0].State, "and the run is free for the next")
}
