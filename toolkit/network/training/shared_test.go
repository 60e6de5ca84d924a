package training

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// trainer trains many runs with one model, which is compiled once.
type trainer struct {
	b       compute.Backend
	recipe  recipes.Recipe
	net     *network.Opened
	initial map[string]*tensors.Tensor
}

// shared is the trainer of all tests. It compiles one program for steps of 16 images and one for evaluations of 20.
var shared *trainer

// newTrainer returns a trainer for 8 layers and 3 epochs of 2 steps; set may change whatever does not change the programs.
func newTrainer(t *testing.T, set func(*recipes.Recipe)) *trainer {
	t.Helper()
	t.Setenv(project.CommitEnvironment, "abc")
	r, err := recipes.Preset("shapes")
	require.NoError(t, err)
	r.Depth, r.DeathRate, r.Epochs, r.BatchSize, r.Augment = 8, 0.5, 3, 16, "shift"
	r.TrainImages, r.ValidationImages, r.TestImages, r.EvaluateEvery = 32, 20, 20, 0
	if set != nil {
		set(&r)
	}
	net, err := network.Open(backendtest.Open(t), r, "")
	require.NoError(t, err)
	if shared == nil {
		tr := &trainer{b: backendtest.Open(t), net: net, initial: make(map[string]*tensors.Tensor)}
		for v := range net.Store.IterVariables() {
			tr.initial[v.Path()], err = v.MustValue().LocalClone()
			require.NoError(t, err)
		}
		shared = tr
	}
	shared.recipe, shared.net.Data = r, net.Data
	return shared
}

// until trains runs with higher and higher learning rates until the best row of one is as wanted.
func (tr *trainer) until(t *testing.T, root string, wanted func(best runs.Row, steps int64) bool) (dir string, run *runs.Run) {
	t.Helper()
	for i := range 40 {
		tr.recipe.LearningRate = 0.02 * math.Pow(1.25, float64(i))
		dir := filepath.Join(root, fmt.Sprintf("whole-%d", i))
		run, err := tr.train(t, context.Background(), dir, nil)
		if err == nil {
			if best, _ := run.Best(); wanted(best, run.Result.Steps) {
				return dir, run
			}
		}
		require.NoError(t, os.RemoveAll(dir))
	}
	t.Fatal("no learning rate has its best epoch there: choose another recipe for this test")
	return "", nil
}

// train is Train with the shared model, whose variables are first set to their initial values.
func (tr *trainer) train(t *testing.T, ctx context.Context, dir string, on func(Progress)) (*runs.Run, error) {
	t.Helper()
	if run, err := finished(dir, tr.recipe); run != nil || err != nil {
		return run, err
	}
	for v := range tr.net.Store.IterVariables() {
		value := tensors.FromShape(v.Shape()) // the optimizer's
		if first, ok := tr.initial[v.Path()]; ok {
			var err error
			value, err = first.LocalClone()
			require.NoError(t, err)
		}
		require.NoError(t, v.SetValue(value))
	}
	tr.net.Recipe = tr.recipe
	return trainNetwork(ctx, tr.b, Options{Dir: dir, Recipe: tr.recipe, Devices: 1, OnProgress: on}, tr.net, time.Now())
}

// stop trains a run until a report of which at is true, and stops it there.
func (tr *trainer) stop(t *testing.T, dir string, at func(Progress) bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := tr.train(t, ctx, dir, func(p Progress) {
		if at(p) {
			cancel()
		}
	})
	require.ErrorIs(t, err, ErrStopped)
}

// outcome is everything in which two runs must agree, as text: rows without seconds, the numbers of the result, the position
// and every bit of the variables in both checkpoints, and the names of the files.
func outcome(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	run, err := runs.Open(dir)
	require.NoError(t, err)
	for _, row := range run.Rows {
		row.Seconds = 0
		fmt.Fprintf(&text, "%+v\n", row)
	}
	if r := run.Result; r != nil {
		fmt.Fprintln(&text, r.BestEpoch, r.ValidationError, r.TestError, r.Epochs, r.Steps, r.Completed, r.Status, r.Message,
			r.Parameters)
	}
	c := checkpoints{dir: run.CheckpointDir()}
	for _, name := range []string{Last, Best} {
		folder, p, err := c.read(name)
		require.NoError(t, err)
		fmt.Fprintf(&text, "%s %d %+v\n", name, p.Step, p.Row)
		handler, err := checkpoint.Load(model.NewStore()).Dir(folder).ExcludeAllParams().Done()
		require.NoError(t, err)
		var sums []string
		for path, value := range handler.LoadedVariables() {
			require.NoError(t, value.ConstBytes(func(data []byte) {
				sums = append(sums, fmt.Sprintf("%s %x", path, sha256.Sum256(data)))
			}))
		}
		text.WriteString(sorted(sums))
	}
	var files []string
	for path := range contents(t, dir) {
		if path = checkpointName.ReplaceAllString(path, "checkpoint-N"); !strings.HasPrefix(path, "lock") {
			files = append(files, path)
		}
	}
	text.WriteString(sorted(files))
	return text.String()
}

var checkpointName = regexp.MustCompile(`checkpoint-n[\w-]*`)

func sorted(lines []string) string {
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// contents maps the path of each file in a folder to its time and the sum of its content.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		sum, err := hash(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = info.ModTime().String() + " " + sum
		return err
	}))
	return files
}

// withoutLocks is contents without the files by which writers exclude each other.
func withoutLocks(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := contents(t, dir)
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasPrefix(name, "lock") })
	return files
}

// copyRun copies a run's folder with its times. Large files are weights, which nobody writes to again: they are shared.
func copyRun(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Size() > 64<<10 {
			return os.Link(path, target)
		}
		source, err := os.Open(path)
		if err != nil {
			return err
		}
		defer source.Close()
		file, err := os.Create(target)
		if err != nil {
			return err
		}
		if _, err := io.Copy(file, source); err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
		return os.Chtimes(target, info.ModTime(), info.ModTime())
	}))
}

// scratch returns an empty folder, in memory where that is possible.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "stochdepth-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
