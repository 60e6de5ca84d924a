package sweep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
)

func TestTaskIndex(t *testing.T) {
	s, _, _ := twelve(t)
	for _, c := range []struct {
		given, slurm, kubernetes string
		want                     int
		refused                  string
	}{
		{"3", "4", "5", 3, ""}, {"", "4", "5", 4, ""}, {"", "", "5", 5, ""}, {"0", "", "", 0, ""}, {"11", "", "", 11, ""},
		{"12", "", "", 0, `the index "12" is not one of this sweep's: they are 0 to 11`},
		{"-1", "", "", 0, `the index "-1" is not one`}, {"", "x", "", 0, `the index "x" is not one`}, {"", "", "", 0,
			"which run? Give its index"},
	} {
		t.Setenv("SLURM_ARRAY_TASK_ID", c.slurm)
		t.Setenv("JOB_COMPLETION_INDEX", c.kubernetes)
		index, err := s.TaskIndex(c.given)
		if c.refused != "" {
			require.ErrorContains(t, err, c.refused)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, index, "%+v", c)
	}
}

// A task makes its run, says so in its log, and leaves the other runs alone.
func TestTask(t *testing.T) {
	s, o, folder := twelve(t)
	var log bytes.Buffer
	require.NoError(t, s.Task(context.Background(), o, 7, &log, pretend))
	require.Regexp(t,
		`^\S+ \S+ it/20-linear-0.6-s2: starting\n\S+ \S+ it/20-linear-0.6-s2: \n\S+ \S+ it/20-linear-0.6-s2: finished, well\n$`,
		log.String())
	require.Equal(t, "12 runs: 1 done, 11 left", Summary(s.Status(o.Runs)))

	// It says why it failed, also to the next task, and later that it no longer fails.
	require.NoError(t, os.WriteFile(filepath.Join(folder, "fail"), []byte(s.Jobs[1].Name), 0o644))
	err := s.Task(context.Background(), o, 1, &log, pretend)
	require.EqualError(t, err, "it/20-linear-0.8-s1: out of luck")
	require.Equal(t, 1, ExitCode(err))
	require.Equal(t, "out of luck", s.Status(o.Runs)[1].Why)
	require.NoError(t, os.Remove(filepath.Join(folder, "fail")))
	require.NoError(t, s.Task(context.Background(), o, 1, &log, pretend))
	require.Equal(t, Done, s.Status(o.Runs)[1].State)

	// Stopped, it is to be started again.
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Millisecond)
	defer cancel()
	err = s.Task(ctx, o, 2, &log, pretend)
	require.ErrorIs(t, err, ErrStopped)
	require.Equal(t, 75, ExitCode(fmt.Errorf("so: %w", err)))
	require.Equal(t, 1, ExitCode(errors.New("another")))

	changed, err := Read(write(t, "it", `{"recipe": "shapes", "set": {"epochs": 7},
		"grid": {"death_rate": [0.1, 0.2, 0.3, 0.4], "seed": [1, 2, 3]}}`))
	require.NoError(t, err)
	require.ErrorContains(t, changed.Task(context.Background(), o, 1, &log, pretend),
		"the sweep file has changed: the run it/20-linear-0.8-s1 is there with another recipe (epochs: 6, 7;")
}

// A task waits for a run that another process writes, until the context ends.
func TestTaskWaits(t *testing.T) {
	defer func(before time.Duration) { lockPatience = before }(lockPatience)
	lockPatience = 5 * time.Millisecond
	s, o, _ := twelve(t)
	other, err := runs.Create(filepath.Join(o.Runs, s.Jobs[0].Name), s.Jobs[0].Recipe)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	var log bytes.Buffer
	err = s.Task(ctx, o, 0, &log, pretend)
	require.ErrorIs(t, err, ErrStopped)
	require.ErrorContains(t, err, "while it waited")
	require.Contains(t, log.String(), ": elsewhere, ")

	time.AfterFunc(20*time.Millisecond, func() { other.Close() })
	require.NoError(t, s.Task(context.Background(), o, 0, &log, pretend))
	require.Equal(t, Done, s.Status(o.Runs)[0].State)
}
