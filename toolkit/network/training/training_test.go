package training_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// tiny is the recipe of a run of a few seconds: 8 layers, 3 epochs of 3 steps, with a smaller last minibatch.
func tiny(t testing.TB) recipes.Recipe {
	t.Helper()
	r, err := recipes.Preset("shapes")
	require.NoError(t, err)
	r.Depth, r.DeathRate, r.Epochs, r.BatchSize, r.Augment = 8, 0.5, 3, 16, "shift"
	r.TrainImages, r.ValidationImages, r.TestImages = 40, 20, 20
	r.EvaluateEvery = 0
	return r
}

func train(t testing.TB, ctx context.Context, dir string, r recipes.Recipe, on func(training.Progress)) (*runs.Run, error) {
	t.Helper()
	return training.Train(ctx, backendtest.Open(t), training.Options{Dir: dir, Recipe: r, OnProgress: on})
}

// parameters returns every variable of a checkpoint by name, the optimizer's included, to the last bit.
func parameters(t *testing.T, dir, name string) map[string]string {
	t.Helper()
	sums := variables(t, dir, name)
	require.Contains(t, sums, "var:/network/group1/kernel1")
	state := sums["var:/optimizer/velocity/network/group1/kernel1"] + sums["var:/optimizer/moment2/network/group1/kernel1"]
	require.NotEmpty(t, state)
	return sums
}

// variables is parameters for a run that may have made no step, or leave its first group as it is.
func variables(t *testing.T, dir, name string) map[string]string {
	t.Helper()
	handler, err := checkpoint.Load(model.NewStore()).Dir(filepath.Join(dir, "checkpoint", name)).ExcludeAllParams().Done()
	require.NoError(t, err)
	sums := make(map[string]string)
	for path, value := range handler.LoadedVariables() {
		require.NoError(t, value.ConstBytes(func(data []byte) { sums[path] = fmt.Sprintf("%x", sha256.Sum256(data)) }))
	}
	return sums
}

// stop trains a run until a report of which at is true, and stops it there.
func stop(t *testing.T, dir string, r recipes.Recipe, at func(training.Progress) bool) (stopped *runs.Run, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped, err = train(t, ctx, dir, r, func(p training.Progress) {
		if at(p) {
			cancel()
		}
	})
	require.ErrorIs(t, err, training.ErrStopped)
	return stopped, err
}

func inLastEvaluation(p training.Progress) bool { return p.Step == 9 && p.Phase == "evaluating" }

// atStep is true at the reports of a step.
func atStep(step int64) func(training.Progress) bool {
	return func(p training.Progress) bool { return p.Step == step }
}

// withoutSeconds returns the columns in which two runs must agree: all but the time.
func withoutSeconds(rows []runs.Row) []runs.Row {
	out := slices.Clone(rows)
	for i := range out {
		out[i].Seconds = 0
	}
	return out
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("STOCHDEPTH_TEST_RUN"); dir != "" {
		trainUntilKilled(dir)
	}
	if dir := os.Getenv("STOCHDEPTH_TEST_SHORT_OF_MEMORY"); dir != "" {
		trainShortOfMemory(dir)
	}
	os.Exit(m.Run())
}

// trainUntilKilled is the child process of TestResume.
func trainUntilKilled(dir string) {
	t := &testing.T{}
	r := tiny(t)
	_, err := train(t, context.Background(), dir, r, func(p training.Progress) {
		if p.Step == 5 { // in the middle of the second epoch
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	})
	panic(err)
}

// Less frequent tests change only the test errors of the rows, some of which are missing; the number to report is known.
func TestTestEvery(t *testing.T) {
	r := tiny(t)
	r.LearningRate = 1 // high enough for the last epoch not to be the best
	each, err := train(t, context.Background(), filepath.Join(t.TempDir(), "each"), r, nil)
	require.NoError(t, err)
	best, _ := each.Best()
	require.Less(t, best.Epoch, 3.0, "choose another recipe for this test")

	r.TestEvery = 5
	rare, err := train(t, context.Background(), filepath.Join(t.TempDir(), "rare"), r, nil)
	require.NoError(t, err)
	require.Equal(t, best.TestError, rare.Result.TestError)
	for i, row := range withoutSeconds(rare.Rows) {
		want := withoutSeconds(each.Rows)[i]
		if tested := i == 2 || row.Step == best.Step; !tested {
			require.True(t, math.IsNaN(row.TestError))
			row.TestError, want.TestError = 0, 0
		}
		require.Equal(t, want, row)
	}
}

// With a number of steps between evaluations, the ends of epochs have no evaluation, but the end of the run has one.
func TestEvaluateEvery(t *testing.T) {
	r := tiny(t) // 3 epochs of 3 steps
	r.EvaluateEvery = 4
	run, err := train(t, context.Background(), filepath.Join(t.TempDir(), "run"), r, nil)
	require.NoError(t, err)
	var steps []int64
	for _, row := range run.Rows {
		steps = append(steps, row.Step)
	}
	require.Equal(t, []int64{4, 8, 9}, steps)
}

// A run that is killed in the middle of an epoch, and one that is stopped there properly, both end in the same bits as an
// undisturbed run: parameters, velocities, averages, and every row.
func TestResume(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	alone, err := train(t, context.Background(), whole, tiny(t), nil)
	require.NoError(t, err)
	require.Len(t, alone.Rows, 3)
	require.True(t, alone.Result.Completed)
	endsAlike := func(t *testing.T, dir string) {
		t.Helper()
		resumed, err := train(t, context.Background(), dir, tiny(t), nil)
		require.NoError(t, err)
		require.Equal(t, withoutSeconds(alone.Rows), withoutSeconds(resumed.Rows))
		require.Equal(t, parameters(t, whole, "last"), parameters(t, dir, "last"))
	}

	t.Run("killed", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "killed")
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "STOCHDEPTH_TEST_RUN="+dir)
		out, err := child.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, err.Error(), "killed", "%s", out)
		half, err := runs.Open(dir)
		require.NoError(t, err)
		require.Len(t, half.Rows, 1)

		endsAlike(t, dir)
	})
	t.Run("stopped", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "stopped")
		run, err := stop(t, dir, tiny(t), atStep(5))
		require.ErrorContains(t, err, "stopped at step 5 of 9: start the same command again to go on")
		require.Equal(t, "stopped", run.Result.Status)
		require.EqualValues(t, 5, run.Result.Steps)

		endsAlike(t, dir)
	})
	t.Run("stopped in the last evaluation", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "evaluating")
		run, _ := stop(t, dir, tiny(t), inLastEvaluation)
		require.Len(t, run.Rows, 2)

		endsAlike(t, dir)
	})
	t.Run("checkpoint cut in half", func(t *testing.T) {
		files, err := filepath.Glob(filepath.Join(whole, "checkpoint", "last", "*.bin"))
		require.NoError(t, err)

		before := parameters(t, whole, "last")
		content, err := os.ReadFile(files[0])
		require.NoError(t, err)
		cut := files[0] + ".cut" // the best checkpoint may share the file
		require.NoError(t, os.WriteFile(cut, content[:len(content)/2], 0o644))
		require.NoError(t, os.Rename(cut, files[0]))

		r := tiny(t)
		_, err = train(t, context.Background(), whole, r, nil)
		require.ErrorContains(t, err, "is missing, cut or altered: restore this folder from a copy, or delete the folder ")
		after, err := runs.Open(whole)
		require.NoError(t, err)
		require.Equal(t, alone.Rows, after.Rows, "nothing is lost")

		require.NoError(t, os.RemoveAll(filepath.Join(whole, "checkpoint", "last")))
		again, err := train(t, context.Background(), whole, r, nil)
		require.NoError(t, err)
		require.Equal(t, withoutSeconds(alone.Rows), withoutSeconds(again.Rows))
		require.Equal(t, before, parameters(t, whole, "last"))
	})
}

// The same holds with sub-batches, whose log has the number of blocks that every minibatch opens for an image.
func TestResumeOfSubBatches(t *testing.T) {
	r := tiny(t)
	r.GatesPer, r.Block, r.Depth = "subbatch", "transformer", 4
	whole, dir := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "stopped")
	alone, err := train(t, context.Background(), whole, r, nil)
	require.NoError(t, err)
	for _, row := range alone.Rows { // of two minibatches of 16 images and one of 8
		require.InDelta(t, 7./8+6./8+5./8+4./8, row.OpenBlocksMean, 1e-9)
	}
	stop(t, dir, r, atStep(5))
	resumed, err := train(t, context.Background(), dir, r, nil)
	require.NoError(t, err)
	require.Equal(t, withoutSeconds(alone.Rows), withoutSeconds(resumed.Rows))
	require.Equal(t, variables(t, whole, "last"), variables(t, dir, "last"))
}

// The same holds with AdamW, a cosine, mixed images and averages of the weights. The averages are what the rows are about, and what
// a checkpoint of the run restores.
func TestResumeOfAModernRecipe(t *testing.T) {
	r := tiny(t)
	r.TrainImages = 48 // equal batches: one compilation
	for key, value := range map[string]string{"optimizer": "adamw", "learning_rate": "0.002", "weight_decay": "0.05",
		"weight_decay_of": "weights", "schedule": "cosine", "warmup_epochs": "1", "warmup_rate": "0.0001", "clip_gradient": "1",
		"label_smoothing": "0.1", "mixup": "0.8", "cutmix": "1", "ema": "0.5", "freeze_closed": "true"} {
		require.NoError(t, r.Set(key, value))
	}
	whole := filepath.Join(t.TempDir(), "whole")
	alone, err := train(t, context.Background(), whole, r, nil)
	require.NoError(t, err)
	for i, rate := range []float64{0.0001, 0.002 * (1 + math.Cos(math.Pi*2/6)) / 2, 0.002 * (1 + math.Cos(math.Pi*5/6)) / 2} {
		require.InDelta(t, rate, alone.Rows[i].LearningRate, 1e-12)
	}
	sums := parameters(t, whole, "last")
	for _, at := range []func(training.Progress) bool{atStep(5), inLastEvaluation} {
		dir := filepath.Join(t.TempDir(), "stopped")
		stop(t, dir, r, at)
		resumed, err := train(t, context.Background(), dir, r, nil)
		require.NoError(t, err)
		require.Equal(t, withoutSeconds(alone.Rows), withoutSeconds(resumed.Rows))
		require.Equal(t, sums, parameters(t, dir, "last"))
	}
	require.NotEqual(t, sums["var:/network/group1/kernel1"], sums["var:/average/network/group1/kernel1"])

	restored, err := training.Restore(backendtest.Open(t), alone, training.Last, "")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "averaged.safetensors")
	require.NoError(t, restored.Export(file, nil))
	opened, err := network.OpenFile(backendtest.Open(t), file, "")
	require.NoError(t, err)
	for _, net := range []*network.Opened{restored, opened} {
		score, err := net.Evaluate(context.Background(), net.Data.Validation)
		require.NoError(t, err)
		require.Equal(t, alone.Rows[2].ValidationError, score.Error)
	}
	require.Equal(t, sums["var:/average/network/group1/kernel1"], sum(t, restored.Store.GetVariable("/network/group1/kernel1")))
}

// sum returns the SHA-256 of a variable's value.
func sum(t *testing.T, v *model.Variable) (sum string) {
	t.Helper()
	value, err := v.Value()
	require.NoError(t, err)
	require.NoError(t, value.ConstBytes(func(data []byte) { sum = fmt.Sprintf("%x", sha256.Sum256(data)) }))
	return sum
}

// The last good checkpoint survives a divergence, and the run says so.
func TestDivergence(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	r := tiny(t)
	r.LearningRate, r.WarmupEpochs, r.WarmupRate = 1e30, 1, 0.1
	run, err := train(t, context.Background(), dir, r, nil)
	require.ErrorIs(t, err, training.ErrDiverged)
	require.ErrorContains(t, err, "the last good checkpoint is kept, of step 3; try a lower learning rate")
	require.Equal(t, "diverged", run.Result.Status)
	require.Len(t, run.Rows, 1)
	require.FileExists(t, filepath.Join(dir, "checkpoint", "last", "position.json"))
}

func TestTimeLimit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	r := tiny(t)
	r.Epochs = 100000
	o := training.Options{Dir: dir, Recipe: r, MaxTime: 3 * time.Second}
	run, err := training.Train(context.Background(), backendtest.Open(t), o)
	require.ErrorIs(t, err, training.ErrStopped)
	require.ErrorContains(t, err, "stopped after the time limit of 3s at step")
	require.Equal(t, "stopped", run.Result.Status)
	require.FileExists(t, filepath.Join(dir, "checkpoint", "last", "position.json"))
}

func TestSecondWriterAndOtherRecipe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	r := tiny(t)
	var locked runs.ErrLocked
	var second error
	_, err := train(t, context.Background(), dir, r, func(p training.Progress) {
		if p.Step == 1 && second == nil {
			_, second = train(t, context.Background(), dir, r, nil)
		}
	})
	require.NoError(t, err)
	require.True(t, errors.As(second, &locked), "%v", second)

	r.DeathRate = 0.25
	_, err = train(t, context.Background(), dir, r, nil)
	require.ErrorContains(t, err, "death_rate")
}

// Every option trains: the loss is finite, and other settings that must give the same loss do so.
func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   [][2]string
		twin  [][2]string // settings that must give the same loss, up to delta
		delta float64
	}{
		{"both forms", [][2]string{
			{"dtype", "float64"}, {"scale_at", "train"}, {"freeze_closed", "true"}, {"shortcut", "subsample"}, {"rule", "uniform"},
		}, [][2]string{{"form", "resnet"}}, 1e-9},
		{"bfloat16", [][2]string{{"dtype", "bfloat16"}}, [][2]string{{"dtype", "float32"}}, 0.2},
		{"per sample", [][2]string{{"dtype", "float64"}, {"gates_per", "sample"}}, [][2]string{{"form", "resnet"}}, 1e-9},
		{"sub-batches", [][2]string{{"dtype", "float64"}, {"gates_per", "subbatch"}, {"scale_at", "train"}},
			[][2]string{{"form", "resnet"}}, 1e-9},
		{"mean image", [][2]string{{"normalization", "mean-image"}}, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			losses := func(settings ...[2]string) float64 {
				r := tiny(t)
				r.Epochs, r.TrainImages = 1, 48 // equal batches: one compilation
				for _, s := range settings {
					require.NoError(t, r.Set(s[0], s[1]))
				}
				require.NoError(t, r.Validate())
				run, err := train(t, context.Background(), filepath.Join(t.TempDir(), "run"), r, nil)
				require.NoError(t, err)
				return run.Rows[0].TrainLoss
			}
			first := losses(c.set...)
			require.False(t, math.IsNaN(first) || first > 10, "loss %g", first)
			if c.twin != nil {
				require.InDelta(t, first, losses(slices.Concat(c.set, c.twin)...), c.delta)
			}
		})
	}
}

// A record without its checkpoints, as in git, is not overwritten.
func TestRecordWithoutCheckpoint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	writer, err := runs.Create(dir, tiny(t))
	require.NoError(t, err)
	for step := range int64(2) {
		require.NoError(t, writer.Append(runs.Row{Epoch: float64(step + 1), Step: 3 * (step + 1)}))
	}
	require.NoError(t, writer.Close())
	_, err = train(t, context.Background(), dir, tiny(t), nil)
	require.ErrorContains(t, err, "is a record without checkpoints, so it cannot go on: choose another run name")
	run, err := runs.Open(dir)
	require.NoError(t, err)
	require.Len(t, run.Rows, 2)
	require.Nil(t, run.Result)
}

// An exported network, imported as another run, has the same errors and losses.
func TestExportImport(t *testing.T) {
	root := t.TempDir()
	r := tiny(t)
	run, err := train(t, context.Background(), filepath.Join(root, "run"), r, nil)
	require.NoError(t, err)
	trained, err := training.Restore(backendtest.Open(t), run, training.Last, "")
	require.NoError(t, err)
	require.EqualValues(t, 9, trained.Info.Step)
	file := filepath.Join(root, "net.safetensors")
	require.NoError(t, trained.Export(file, nil))

	info, err := models.Read(file)
	require.NoError(t, err)
	recipe := info.Recipe
	require.Equal(t, r, recipe)
	notes, err := training.ImportRun(backendtest.Open(t), file, filepath.Join(root, "copy"), recipe, "")
	require.NoError(t, err)
	require.Empty(t, notes)
	imported, err := runs.Open(filepath.Join(root, "copy"))
	require.NoError(t, err)
	copied, err := training.Restore(backendtest.Open(t), imported, training.Best, "")
	require.NoError(t, err)
	want, err := trained.Evaluate(context.Background(), trained.Data.Test)
	require.NoError(t, err)
	got, err := copied.Evaluate(context.Background(), trained.Data.Test)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, run.Rows[2].TestError, want.Error)

	recipe.Depth = 14
	_, err = training.ImportRun(backendtest.Open(t), file, filepath.Join(root, "deeper"), recipe, "")
	require.ErrorContains(t, err, "has depth 8, and its weights do not fit a network with depth 14")
	recipe.Depth = 8
	_, err = training.ImportRun(backendtest.Open(t), file, filepath.Join(root, "copy"), recipe, "")
	require.ErrorContains(t, err, "exists already")
}

// On a full disk, here a small file system, training fails with one sentence, and the run is intact.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	require.NoError(t, exec.Command("mkdir", "-p", dir).Run())
	mount := exec.Command("mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", dir)
	if out, err := mount.CombinedOutput(); err != nil {
		t.Skipf("mounting is not allowed here: %s", bytes.TrimSpace(out))
	}
	defer exec.Command("umount", "-l", dir).Run()
	_, err := train(t, context.Background(), dir, tiny(t), nil)
	require.Error(t, err)
	require.Equal(t, 1, strings.Count(err.Error(), "free some space"), "said once: %v", err)
	require.NotContains(t, err.Error(), "\n")
	run, err := runs.Open(dir)
	require.NoError(t, err)
	require.LessOrEqual(t, len(run.Rows), 1)
}

// A write that fails without a word from GoMLX, here beyond a limit on the size of files, fails the run in one sentence, and its
// last whole checkpoint stays. The limit is that of a process of its own.
func TestShortWrite(t *testing.T) {
	const inside = "STOCHDEPTH_TEST_SHORT_WRITE"
	if dir := os.Getenv(inside); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 100_000, Max: 100_000}))
		_, err := train(t, context.Background(), dir, tiny(t), nil)
		require.ErrorContains(t, err, "bytes could be written: make room, or lift the limit on the size of files (ulimit -f), and start")
		return
	}
	dir := filepath.Join(t.TempDir(), "run")
	stop(t, dir, tiny(t), atStep(1))
	test := exec.Command(os.Args[0], "-test.run", "^TestShortWrite$")
	test.Env = append(os.Environ(), inside+"="+dir)
	out, err := test.CombinedOutput()
	require.NoError(t, err, "%s", out)
	run, err := train(t, context.Background(), dir, tiny(t), nil)
	require.NoError(t, err)
	require.True(t, run.Finished())
}

// A continued run has the same programs at every start, so that they are found compiled.
func TestResumedProgramsAreTheSame(t *testing.T) {
	from := filepath.Join(t.TempDir(), "run")
	stop(t, from, tiny(t), atStep(1))
	var programs [2][]string
	defer proxy.Watch(nil)
	for i := range programs {
		dir := filepath.Join(t.TempDir(), "run")
		require.NoError(t, os.CopyFS(dir, os.DirFS(from)))
		proxy.Watch(func(program string) bool {
			programs[i] = append(programs[i], program)
			return true
		})
		stop(t, dir, tiny(t), atStep(2))
	}
	if len(programs[0]) == 0 {
		t.Skip("this machine has no kernels, with which the programs are watched")
	}
	require.True(t, slices.Equal(programs[0], programs[1]))
}
