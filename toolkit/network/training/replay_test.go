package training

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/torture"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// crash is a run's folder as a crash leaves it.
type crash struct {
	dir   string
	after string // the last change before the crash
}

// record calls do, which makes or resumes the run in dir, and copies the folder after each change, and in the middle of each
// appended row.
func record(t *testing.T, dir, to string, do func()) (crashes []crash) {
	t.Helper()
	keep := func(after string) {
		c := crash{filepath.Join(to, fmt.Sprint(len(crashes))), after}
		copyRun(t, dir, c.dir)
		crashes = append(crashes, c)
	}
	end := disk.Observe(disk.Observer{After: func(operation, path string) {
		name, _ := filepath.Rel(dir, path)
		keep(operation + " " + name)
		if operation == "write" && name == "epochs.tsv" {
			keep("half of " + operation + " " + name)
			log := filepath.Join(crashes[len(crashes)-1].dir, name)
			text, err := os.ReadFile(log)
			require.NoError(t, err)
			row := strings.LastIndexByte(string(text[:len(text)-1]), '\n')
			require.NoError(t, os.Truncate(log, int64(row+(len(text)-row)/2)))
		}
	}})
	defer end()
	do()
	return crashes
}

// After a crash at any change to its files a run ends with the same bits in rows, parameters and errors, and no file is left
// over. The run has every kind of write: evaluations within epochs, rows without test error, a stop within an epoch, a best
// epoch that is not the last, and the loss of its newest checkpoint.
func TestCrashAfterEveryChange(t *testing.T) {
	long := torture.Asked()
	tr := newTrainer(t, func(r *recipes.Recipe) {
		r.Epochs, r.EvaluateEvery, r.TestEvery, r.TrainImages = 2, 2, 3, 48 // rows of steps 2, 3, 4 and 6
		if long {
			r.Epochs = 4
		}
	})
	root := scratch(t)
	whole, run := tr.until(t, root, func(best runs.Row, steps int64) bool { return best.Step < steps })
	want := outcome(t, whole)

	dir := filepath.Join(root, "run")
	crashes := record(t, dir, filepath.Join(root, "first"), func() {
		tr.stop(t, dir, func(p Progress) bool { return p.Step == run.Result.Steps-2 })
		_, err := tr.train(t, context.Background(), dir, nil)
		require.NoError(t, err)
		require.Equal(t, want, outcome(t, dir))
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "checkpoint", Last)))
		_, err = tr.train(t, context.Background(), dir, nil)
		require.NoError(t, err)
	})
	require.Equal(t, want, outcome(t, dir))
	trials, failed := 0, 0
	resume := func(c crash) {
		trials++
		if _, err := tr.train(t, context.Background(), c.dir, nil); err != nil {
			failed++
			t.Errorf("crash %s: %v", c.after, err)
			return
		}
		if got := outcome(t, c.dir); got != want {
			failed++
			t.Errorf("crash after %s: the run ended differently:\n%s\ninstead of\n%s", c.after, got, want)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, first := range crashes {
		if long && random.IntN(4) == 0 { // a second crash while the run recovers from the first
			again := filepath.Join(root, "again")
			copyRun(t, first.dir, again)
			to := filepath.Join(root, "second")
			for i, second := range record(t, again, to, func() { tr.train(t, context.Background(), again, nil) }) {
				if second.after = first.after + ", then " + second.after; i < 40 || random.IntN(3) == 0 {
					resume(second)
				}
			}
			require.NoError(t, os.RemoveAll(again))
			require.NoError(t, os.RemoveAll(to))
		}
		resume(first)
		require.NoError(t, os.RemoveAll(first.dir))
	}
	torture.Report(t, "crashes after a change to the files", trials, failed)
	if long {
		require.GreaterOrEqual(t, trials, 1000)
	}
}
