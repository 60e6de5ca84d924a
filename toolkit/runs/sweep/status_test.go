package sweep

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// finish makes a job a finished run with these rows.
func finish(t *testing.T, root string, job Job, rows ...runs.Row) {
	t.Helper()
	w, err := runs.Create(filepath.Join(root, job.Name), job.Recipe)
	require.NoError(t, err)
	for _, row := range rows {
		require.NoError(t, w.Append(row))
	}
	require.NoError(t, w.WriteResult(runs.Result{Completed: true, Status: "finished", WallSeconds: 100,
		Steps: rows[len(rows)-1].Step}))
	require.NoError(t, w.Close())
}

// A run that is recorded without its log is described by its result.
func TestRecordWithoutItsLog(t *testing.T) {
	root := t.TempDir()
	s, err := Read(write(t, "it", `{"recipe": "shapes", "set": {"epochs": 2}, "grid": {"death_rate": [0], "seed": [1, 2]}}`))
	require.NoError(t, err)
	w, err := runs.Create(filepath.Join(root, s.Jobs[0].Name), s.Jobs[0].Recipe)
	require.NoError(t, err)
	require.NoError(t, w.WriteResult(runs.Result{Completed: true, Status: "finished", BestEpoch: 1, ValidationError: 8, TestError: 9,
		Epochs: 2, Steps: 20, WallSeconds: 100}))
	require.NoError(t, w.Close())
	list := s.Status(root)
	require.Equal(t, Done, list[0].State)
	remaining, known := TimeRemaining(list, 1)
	require.True(t, known)
	require.Equal(t, 100*time.Second, remaining)

	var each bytes.Buffer
	require.NoError(t, runs.Table(&each, []*runs.Run{list[0].Run}, "table"))
	require.Regexp(t, `constant +0 +2/2 +1 +8\.00 +9\.00 +0\.00 +1 min 40 s +finished`, each.String())
	require.Equal(t, "test error 9.0 % at the epoch of the lowest validation error, 1", list[0].Run.Outcome())
}

func TestStatusAndTimeRemaining(t *testing.T) {
	root := t.TempDir()
	path := write(t, "it", `{"recipe": "shapes", "set": {"epochs": 2}, "grid": {"seed": [1, 2, 3, 4, 5]}}`)
	s, err := Read(path)
	require.NoError(t, err)
	_, known := TimeRemaining(s.Status(root), 1)
	require.False(t, known)

	finish(t, root, s.Jobs[0], runs.Row{Epoch: 2, Step: 20, Seconds: 60}) // 100 s in all
	half, err := runs.Create(filepath.Join(root, s.Jobs[1].Name), s.Jobs[1].Recipe)
	require.NoError(t, err)
	require.NoError(t, half.Append(runs.Row{Epoch: 1, Step: 10, Seconds: 50}))
	require.NoError(t, writeFailure(filepath.Join(root, s.Jobs[2].Name), "no data"))
	other := s.Jobs[3].Recipe
	other.Momentum = 0.5
	w, err := runs.Create(filepath.Join(root, s.Jobs[3].Name), other)
	require.NoError(t, err)
	require.NoError(t, w.Close())

	list := s.Status(root)
	require.Equal(t, []State{Done, Running, Failed, Changed, Pending},
		[]State{list[0].State, list[1].State, list[2].State, list[3].State, list[4].State})
	require.Equal(t, "no data", list[2].Why)
	require.Equal(t, "momentum: 0.5, 0.9", list[3].Why)
	require.NoError(t, half.Close())
	list = s.Status(root)
	require.Equal(t, "5 runs: 1 done, 1 stopped, 1 failed, 1 changed, 1 left", Summary(list))
	require.Equal(t, 0.5, list[1].Part())
	left, known := TimeRemaining(list, 2)
	require.True(t, known)
	require.Equal(t, 75*time.Second, left, "one and a half runs of 100 s, two at a time")
}

func TestEstimateFollowsTheOpenBlocks(t *testing.T) {
	r, err := recipes.Preset("shapes")
	require.NoError(t, err)
	r.Epochs, r.DeathRate, r.EvaluateEvery = 10, 0, 0 // 9 blocks
	p := Probe{StepsPerEpoch: 5, StartSeconds: 1, CompileSeconds: 3, ClosedSeconds: 1, OpenSeconds: 10, EvaluateSeconds: 2}
	require.InDelta(t, 1+3+50*10+10*2, p.Seconds(r), 1e-9)
	r.DeathRate, r.Rule = 1./3, "uniform" // 6 open
	require.InDelta(t, 1+3+50*7+10*2, p.Seconds(r), 1e-9)
	r.EvaluateEvery = 10
	require.InDelta(t, 1+3+50*7+5*2, p.Seconds(r), 1e-9)
	p.TestSeconds = 4
	require.InDelta(t, 1+3+50*7+5*2+5*4, p.Seconds(r), 1e-9)
	r.TestEvery = 5
	require.InDelta(t, 1+3+50*7+5*2+1*4, p.Seconds(r), 1e-9)
}

// Half of the runs are finished and one has failed; each of the others takes 100 s.
func TestListings(t *testing.T) {
	s, o, folder := twelve(t)
	s.Jobs = s.Jobs[:4]
	require.NoError(t, os.WriteFile(filepath.Join(folder, "fail"), []byte(s.Jobs[1].Name), 0o644))
	for i := range 3 {
		_ = s.Task(context.Background(), o, i, &bytes.Buffer{}, pretend)
	}
	list := s.Status(o.Runs)
	var text bytes.Buffer
	require.NoError(t, WriteStatus(&text, list))
	require.Equal(t, `index  name                 state   epochs
0      it/20-linear-0.9-s1  done    6/6
1      it/20-linear-0.8-s1  failed  0/6     out of luck
2      it/20-linear-0.7-s1  done    6/6
3      it/20-linear-0.6-s1  left    0/6
4 runs: 2 done, 1 failed, 1 left; about 1s left with 1 at a time
`, regexp.MustCompile(`(?m) +$`).ReplaceAllString(text.String(), ""))

	text.Reset()
	require.NoError(t, WritePlan(&text, list, nil, 0))
	require.Equal(t, `index  name                 state
0      it/20-linear-0.9-s1  done
1      it/20-linear-0.8-s1  failed
2      it/20-linear-0.7-s1  done
3      it/20-linear-0.6-s1  left
4 runs: 2 done, 1 failed, 1 left
`, text.String())

	text.Reset()
	estimates := make([]Estimate, len(list))
	for i := range estimates {
		estimates[i] = Estimate{Job: s.Jobs[i], Time: 100 * time.Second, Memory: int64(i) * 1e9}
	}
	require.NoError(t, WritePlan(&text, list, estimates, 2))
	require.Regexp(t, `(?m)^3      it/20-linear-0.6-s1  left    1m40s  3.0 GB$`, text.String())
	require.Contains(t, text.String(), "The remaining runs take about 3m20s, one at a time with the whole machine; up to 3.0 GB of "+
		"memory per worker. By default this machine has 2.\n")
}
