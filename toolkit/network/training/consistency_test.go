package training

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// edit replaces a text file by a changed one, since other folders may share the file itself.
func edit(t *testing.T, path string, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, []byte(change(string(text))), 0o644))
}

// setPosition edits a checkpoint's position, and removes its sum, as older checkpoints have none.
func setPosition(t *testing.T, dir, checkpoint, key string, value any) {
	t.Helper()
	edit(t, filepath.Join(dir, "checkpoint", checkpoint, positionFile), func(text string) string {
		var p map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &p))
		p[key] = value
		if key != "sum" {
			delete(p, "sum")
		}
		data, err := json.Marshal(p)
		require.NoError(t, err)
		return string(data)
	})
}

func lines(text string, n int) string {
	return strings.Join(strings.SplitAfter(text, "\n")[:n], "")
}

// States that no crash makes, of a stopped run and of a finished one: if a state can be repaired, the run ends like an
// undisturbed one; otherwise it is refused with a sentence that says what is intact, and no file changes.
func TestChosenStates(t *testing.T) {
	tr := newTrainer(t, func(r *recipes.Recipe) { r.Epochs = 4 }) // of 2 steps
	root := scratch(t)
	half, older := filepath.Join(root, "half"), filepath.Join(root, "older")
	whole, _ := tr.until(t, root, func(best runs.Row, _ int64) bool { return best.Step == 4 })
	tr.stop(t, half, func(p Progress) bool {
		if p.Row != nil && p.Step == 2 {
			copyRun(t, half, older)
		}
		return p.Step == 7
	})
	want := outcome(t, whole)

	logOf := func(dir string) string { return filepath.Join(dir, "epochs.tsv") }
	checkpointOf := func(dir, name string) string { return filepath.Join(dir, "checkpoint", name) }
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   []string // parts of the refusal; none: the state is repaired
	}{
		{"log emptied", func(t *testing.T, dir string) { edit(t, logOf(dir), func(string) string { return "" }) },
			[]string{"do not agree: the checkpoint is of step ", "restore epochs.tsv or the checkpoint from a copy"}},
		{"log's header left", func(t *testing.T, dir string) { edit(t, logOf(dir), func(s string) string { return lines(s, 1) }) },
			[]string{"do not agree"}},
		{"log halved", func(t *testing.T, dir string) { edit(t, logOf(dir), func(s string) string { return lines(s, 2) }) },
			[]string{"do not agree", "but the last row before it is of step 2"}},
		{"log's last row lost", func(t *testing.T, dir string) {
			edit(t, logOf(dir), func(s string) string { return lines(s, strings.Count(s, "\n")-1) })
		}, []string{"do not agree", "or delete the folder", "to go on from the checkpoint of the best epoch (step 4)"}},
		{"log deleted", func(t *testing.T, dir string) { require.NoError(t, os.Remove(logOf(dir))) }, []string{"do not agree"}},
		{"a row lost in the middle", func(t *testing.T, dir string) {
			edit(t, logOf(dir), func(s string) string {
				l := strings.SplitAfter(s, "\n")
				return strings.Join(append(l[:1:1], l[2:]...), "")
			})
		}, []string{"has no row of step 2, but one of step 4: restore epochs.tsv from a copy"}},
		{"position negative", func(t *testing.T, dir string) { setPosition(t, dir, Last, "step", -5) },
			[]string{"last is damaged, its position.json names step -5"}},
		{"position beyond the end", func(t *testing.T, dir string) { setPosition(t, dir, Last, "step", 999999999999) },
			[]string{"is damaged, it is of step 999999999999 of 8"}},
		{"position off by one", func(t *testing.T, dir string) {
			_, p, err := (&checkpoints{dir: filepath.Join(dir, "checkpoint")}).read(Last)
			require.NoError(t, err)
			setPosition(t, dir, Last, "step", p.Step-1)
		}, []string{"do not agree"}},
		{"position edited", func(t *testing.T, dir string) { setPosition(t, dir, Last, "sum", "0") },
			[]string{"last is damaged, its position.json is altered"}},
		{"position without files", func(t *testing.T, dir string) { setPosition(t, dir, Last, "files", nil) },
			[]string{"names no files"}},
		{"best missing", func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(checkpointOf(dir, Best))) }, []string{
			"should be that of the best epoch (step 4) but is missing: restore this folder",
			"is intact, and `--checkpoint last` reads it",
		}},
		{"best stale", func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(checkpointOf(dir, Best)))
			copyRun(t, checkpointOf(older, Best), checkpointOf(dir, Best))
		}, []string{"should be that of the best epoch (step 4) but is of step 2"}},
		{"best damaged", func(t *testing.T, dir string) { setPosition(t, dir, Best, "step", -1) },
			[]string{"should be that of the best epoch (step 4) but is damaged", "is intact, and `--checkpoint last` reads it"}},
		{"last unreadable", func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(checkpointOf(dir, Last)))
			require.NoError(t, os.WriteFile(checkpointOf(dir, Last), nil, 0o644))
		}, []string{"cannot read the checkpoint", "make it readable and start the same command again"}},
		{"last deleted", func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(checkpointOf(dir, Last))) }, nil},
		{"last older", func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(checkpointOf(dir, Last)))
			copyRun(t, checkpointOf(dir, Best), checkpointOf(dir, Last))
		}, nil},
		{"only an old last", func(t *testing.T, dir string) {
			require.NoError(t, os.Rename(checkpointOf(dir, Last), checkpointOf(dir, Last)+oldSuffix))
		}, nil},
		{"an old last beside it", func(t *testing.T, dir string) {
			if run, err := runs.Open(dir); err == nil && run.Finished() {
				return // a crash leaves none in a run that has its result
			}
			copyRun(t, checkpointOf(dir, Last), checkpointOf(dir, Last)+oldSuffix)
			require.NoError(t, os.Remove(filepath.Join(checkpointOf(dir, Last)+oldSuffix, positionFile)))
		}, nil},
	} {
		for _, from := range []string{half, whole} {
			t.Run(c.name+", "+filepath.Base(from), func(t *testing.T) {
				dir := filepath.Join(scratch(t), "run")
				copyRun(t, from, dir)
				c.change(t, dir)
				before := withoutLocks(t, dir)
				_, err := tr.train(t, context.Background(), dir, nil)
				if c.want == nil {
					require.NoError(t, err)
					require.Equal(t, want, outcome(t, dir))
					return
				}
				require.Error(t, err)
				for _, part := range c.want {
					require.ErrorContains(t, err, part)
				}
				require.NotContains(t, err.Error(), "\n")
				require.Equal(t, before, withoutLocks(t, dir))
			})
		}
	}
}

// If a crash came before the best checkpoint was made, the newest one is it: Restore gives that one, and the next start
// keeps it. A checkpoint of an earlier row never takes its place.
func TestRestoreBestIsThatOfTheBestRow(t *testing.T) {
	tr := newTrainer(t, func(r *recipes.Recipe) { r.Epochs = 4 })
	root := scratch(t)
	whole, run := tr.until(t, root, func(best runs.Row, _ int64) bool { return best.Step == 4 })
	dir, crashed, first := filepath.Join(root, "run"), filepath.Join(root, "crashed"), filepath.Join(root, "first")
	tr.stop(t, dir, func(p Progress) bool {
		if p.Row != nil {
			copyRun(t, dir, map[int64]string{2: first, 4: crashed}[p.Step])
		}
		return p.Row != nil && p.Step == 4
	})
	require.NoError(t, os.RemoveAll(filepath.Join(crashed, "checkpoint", Best)))
	copyRun(t, filepath.Join(first, "checkpoint", Best), filepath.Join(crashed, "checkpoint", Best)) // of step 2

	step := func(dir, name string) (int64, error) {
		run, err := runs.Open(dir)
		require.NoError(t, err)
		_, p, err := (&checkpoints{dir: run.CheckpointDir()}).choose(run, name)
		return p.Step, err
	}
	got, err := step(crashed, Best)
	require.NoError(t, err)
	require.EqualValues(t, 4, got)
	_, err = tr.train(t, context.Background(), crashed, nil)
	require.NoError(t, err)
	require.Equal(t, outcome(t, whole), outcome(t, crashed))

	require.NoError(t, os.RemoveAll(filepath.Join(crashed, "checkpoint", Best)))
	_, err = step(crashed, Best)
	require.ErrorContains(t, err, "should be that of the best epoch (step 4) but is missing")
	got, err = step(crashed, Last)
	require.NoError(t, err)
	require.Equal(t, run.Result.Steps, got)
}

// Training a finished run returns it; all its files stay the same, even their times and the locks.
func TestFinishedStaysAsItIs(t *testing.T) {
	tr := newTrainer(t, func(r *recipes.Recipe) { r.Epochs = 1 })
	dir := filepath.Join(scratch(t), "run")
	_, err := tr.train(t, context.Background(), dir, nil)
	require.NoError(t, err)
	before := contents(t, dir)
	o := Options{Dir: dir, Recipe: tr.recipe, DataRoot: "/nowhere"} // not even the data is needed
	run, err := Train(context.Background(), tr.b, o)
	require.NoError(t, err)
	require.True(t, run.Finished())
	require.Equal(t, before, contents(t, dir))

	other := tr.recipe
	other.Momentum = 0.8
	_, err = Train(context.Background(), tr.b, Options{Dir: dir, Recipe: other})
	require.ErrorContains(t, err, "has another recipe (momentum: 0.9, 0.8; the run's value first)")
	require.Equal(t, before, contents(t, dir))

	// A repair changes nothing else.
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "checkpoint", Best)))
	_, err = tr.train(t, context.Background(), dir, nil)
	require.NoError(t, err)
	after := withoutLocks(t, dir)
	for name, content := range before {
		if !strings.HasPrefix(name, "lock") {
			require.Equal(t, content, after[name], name)
		}
	}

	// A record without its checkpoints is finished too.
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "checkpoint")))
	before = contents(t, dir)
	_, err = Train(context.Background(), tr.b, o)
	require.NoError(t, err)
	require.Equal(t, before, contents(t, dir))

	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.EqualValues(t, 0o755, info.Mode().Perm())
}

// A finished run that goes on from an older checkpoint is no longer finished from the first change on.
func TestResultGoesBeforeItsRows(t *testing.T) {
	tr := newTrainer(t, func(r *recipes.Recipe) { r.Epochs = 4 })
	root := scratch(t)
	dir, _ := tr.until(t, root, func(best runs.Row, _ int64) bool { return best.Step == 4 })
	want := outcome(t, dir)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "checkpoint", Last)))
	killed := errors.New("killed")
	end := disk.Observe(disk.Observer{Before: func(operation, path string) error {
		if filepath.Base(path) == "epochs.tsv" {
			return killed // before any row is dropped
		}
		return nil
	}})
	_, err := tr.train(t, context.Background(), dir, nil)
	end()
	require.ErrorIs(t, err, killed)
	run, err := runs.Open(dir)
	require.NoError(t, err)
	require.False(t, run.Finished())
	require.False(t, run.Result.Completed)
	require.Equal(t, "interrupted", run.Status())
	require.EqualValues(t, 4, run.Result.Steps)
	require.Len(t, run.Rows, 4)
	_, err = tr.train(t, context.Background(), dir, nil)
	require.NoError(t, err)
	require.Equal(t, want, outcome(t, dir))
}

// At any moment there is a complete checkpoint, also when an earlier crash left only the old one.
func TestACheckpointIsAlwaysThere(t *testing.T) {
	tr := newTrainer(t, nil)
	dir := filepath.Join(scratch(t), "run")
	tr.stop(t, dir, func(p Progress) bool { return p.Row != nil })
	c := &checkpoints{dir: filepath.Join(dir, "checkpoint")}
	for _, name := range []string{Last, Best} {
		info, err := os.Stat(c.path(name))
		require.NoError(t, err)
		require.EqualValues(t, 0o755, info.Mode().Perm())
		require.NoError(t, os.Rename(c.path(name), c.path(name+oldSuffix)))
	}
	defer disk.Observe(disk.Observer{After: func(string, string) {
		for _, name := range []string{Last, Best} {
			found, err := c.find(name)
			require.NoError(t, err)
			require.NotEmpty(t, found)
		}
	}})()
	require.NoError(t, c.share(c.path(Last+oldSuffix)))
	require.NoError(t, c.replace(Best, c.path(workBest)))
	_, err := tr.train(t, context.Background(), dir, nil)
	require.NoError(t, err)
}

// Without hard links a run ends the same.
func TestWithoutHardLinks(t *testing.T) {
	tr := newTrainer(t, nil)
	root := scratch(t)
	_, err := tr.train(t, context.Background(), filepath.Join(root, "whole"), nil)
	require.NoError(t, err)
	dir := filepath.Join(root, "run")
	defer disk.Observe(disk.Observer{Before: func(operation, _ string) error {
		if operation == "link" {
			return syscall.EPERM
		}
		return nil
	}})()
	_, err = tr.train(t, context.Background(), dir, nil)
	require.NoError(t, err)
	require.Equal(t, outcome(t, filepath.Join(root, "whole")), outcome(t, dir))
}

// An epoch's last step can break the weights although its loss is finite: nothing of it is saved, and what was saved before
// is finite. The same holds when a run is stopped there.
func TestDivergenceAtTheEndOfAnEpoch(t *testing.T) {
	tr := newTrainer(t, func(r *recipes.Recipe) {
		r.TrainImages, r.LearningRate, r.WarmupEpochs, r.WarmupRate = 16, 1e30, 1, 0.1
	})
	dir := filepath.Join(scratch(t), "run")
	for range 2 {
		run, err := tr.train(t, context.Background(), dir, nil)
		require.ErrorIs(t, err, ErrDiverged)
		require.ErrorContains(t, err, "after step 2; the last good checkpoint is kept, of step 1; try a lower learning rate")
		require.Equal(t, "diverged", run.Result.Status)
		require.Len(t, run.Rows, 1)
		c := &checkpoints{dir: run.CheckpointDir()}
		for _, name := range []string{Last, Best} {
			folder, p, err := c.read(name)
			require.NoError(t, err)
			require.EqualValues(t, 1, p.Step)
			require.NoError(t, c.restore(tr.net.Model, folder, p))
			broken, err := broken(tr.net.Store)
			require.NoError(t, err)
			require.Empty(t, broken)
		}
	}

	ctx, cancel := context.WithCancel(context.Background())
	_, err := tr.train(t, ctx, dir, func(p Progress) {
		if p.Step == 2 {
			cancel()
		}
	})
	require.ErrorIs(t, err, ErrDiverged, "a stop saves no broken network either")

	tr.recipe.WarmupEpochs, tr.recipe.WarmupRate = 0, 0
	_, err = tr.train(t, context.Background(), dir+"-at-once", nil)
	require.ErrorContains(t, err, "after step 1; no checkpoint was made yet; try a lower learning rate")

	// A running variance that overflowed gives zeros at test, and a finite loss.
	for v := range tr.net.Store.IterVariables() {
		if strings.Contains(v.Path(), "variance") {
			value := tensors.FromShape(v.Shape())
			tensors.MustMutableFlatData(value, func(flat []float32) { flat[0] = float32(math.Inf(1)) })
			require.NoError(t, v.SetValue(value))
		}
	}
	broken, err := broken(tr.net.Store)
	require.NoError(t, err)
	require.NotEmpty(t, broken)
}
