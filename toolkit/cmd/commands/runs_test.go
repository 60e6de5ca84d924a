package commands

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// recorded makes finished runs of one epoch, named by the keys, with the given test errors.
func recorded(t *testing.T, folder string, testErrors map[string]float64) {
	t.Helper()
	for name, e := range testErrors {
		recipe, err := recipes.Preset("quickstart")
		require.NoError(t, err)
		recipe.Epochs = 1
		if strings.HasPrefix(name, "constant") {
			recipe.DeathRate = 0
		}
		recipe.Seed = int64(name[len(name)-1] - '0')
		w, err := runs.Create(filepath.Join(folder, name), recipe)
		require.NoError(t, err)
		require.NoError(t, w.Append(runs.Row{Epoch: 1, Step: 10, TrainLoss: 1, ValidationError: e, TestError: e, OpenBlocksMean: 9,
			Seconds: 75}))
		require.NoError(t, w.WriteResult(runs.Result{Completed: true, Status: "finished", Epochs: 1, Steps: 10}))
		require.NoError(t, w.Close())
	}
}

// The commands that look at recorded runs, end to end.
func TestLookingAtRuns(t *testing.T) {
	folder := t.TempDir()
	recorded(t, folder, map[string]float64{"constant-1": 30, "constant-2": 31, "linear-1": 28, "linear-2": 29.5})
	ok := func(args ...string) string {
		out, err := call(t, append(args, "--runs", folder)...)
		require.NoError(t, err)
		return out
	}
	require.Regexp(t, `(?s)^name.*time  status\nconstant-2 .* 1 min 15 s  finished\nconstant-1 .* finished\n$`,
		ok("runs", "--filter", "constant*", "--sort", "test-error", "--reverse"))
	require.Regexp(t, `^name,dataset,.*\nlinear-1,shapes,.*,28,.*,finished\n$`,
		ok("runs", "--where", "seed=1", "--where", "death_rate=0.5", "--format", "csv"))

	out := ok("compare", "constant-*", "linear-*")
	require.Regexp(t, `(?m)^death_rate +0 +0.5$`, out)
	require.Contains(t, out, "Test error of linear-*: -1.75 [-4.93, +1.43] points")
	out = ok("compare", "constant-1", filepath.Join(folder, "linear-2"))
	require.Regexp(t, `(?m)^seed +1 +2$`, out)
	_, err := call(t, "compare", "constant-1", "nobody-*", "--runs", folder)
	require.EqualError(t, err, "no run is named nobody-* or matches it: `stochdepth runs` lists the runs")

	logs := filepath.Join(t.TempDir(), "logs")
	out = ok("export", "linear-*", "constant-1", "--tensorboard", logs)
	require.Equal(t, 3, strings.Count(out, "\n"))
	for _, path := range strings.Fields(out) {
		require.FileExists(t, path)
	}
	ok("watch", "linear-1") // has ended
}

// A run's name is its path below the folder of runs, however the run was specified; a link to that folder works as well.
func TestRunsInSubfolders(t *testing.T) {
	t.Chdir(t.TempDir())
	recorded(t, "runs", map[string]float64{"a/x-1": 30, "b/x-1": 31})
	require.NoError(t, os.Symlink("runs", "link"))
	for _, folder := range []string{"runs", "link"} {
		logs := "logs-of-" + folder
		out, err := call(t, "export", "a/x-1", folder+"/b/x-1", "--runs", folder, "--tensorboard", logs)
		require.NoError(t, err)
		require.Regexp(t, "^"+logs+"/a/x-1/events.*\n"+logs+"/b/x-1/events.*\n$", out)
		for _, args := range [][]string{{"runs"}, {"runs", "a/x-1", "runs/b/x-1"}} {
			out, err = call(t, append(args, "--runs", folder, "--format", "tsv")...)
			require.NoError(t, err)
			require.Regexp(t, `^name.*\na/x-1\t.*\nb/x-1\t.*\n$`, out)
		}
		for _, names := range [][2]string{{"a/*", "b/*"}, {"a-x-*", "b-x-1"}, {folder + "/a-x-1", "b/x-1"}} {
			out, err = call(t, "compare", names[0], names[1], "--runs", folder)
			require.NoError(t, err)
			require.Contains(t, out, "+1.00")
		}
	}
	require.NoError(t, os.Rename("runs/b", "b"))
	_, err := call(t, "export", "b/x-1", "runs/a/x-1", "--runs", "runs/a", "--tensorboard", "logs")
	require.EqualError(t, err,
		"b/x-1 and runs/a/x-1 are both named x-1, and one would take the other's place: write them into two folders")
	require.NoDirExists(t, "logs")
}

func TestSummaryCommand(t *testing.T) {
	out, err := call(t, "summary", "--recipe", "cifar10", "--depth", "20")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^  in all +9 +6.50 +269,722 +40,551,040$`, out)
}
