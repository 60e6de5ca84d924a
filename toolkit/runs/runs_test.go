package runs

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs/recipes"
)

// TestMain lets a test start this binary again as another process that writes a run.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RUNS_TEST_HOLD"); dir != "" {
		recipe := small(&testing.T{})
		if _, err := Create(dir, recipe); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		time.Sleep(time.Minute) // until killed
	}
	os.Exit(m.Run())
}

// rows has numbers that only survive if written exactly, and a diverged end.
var rows = []Row{
	{Epoch: 1, Step: 16, LearningRate: 0.1, TrainLoss: 1. / 3, TrainError: 66.66666666666667, ValidationError: 40, TestError: 41,
		OpenBlocksMean: 6.5, GradientMagnitude: 1.25e-5, Seconds: 3.5},
	{Epoch: 1.5, Step: 24, LearningRate: math.Nextafter(0.1, 1), TrainLoss: math.SmallestNonzeroFloat64,
		ValidationError: 30, TestError: 33, Seconds: 7},
	{Epoch: 2, Step: 32, ValidationError: 30, TestError: 29, GradientMagnitude: math.MaxFloat64, Seconds: 8},
	{Epoch: 3, Step: 1 << 60, TrainLoss: math.NaN(), ValidationError: math.NaN(), TestError: math.Inf(1), Seconds: 9},
}

func requireRows(t *testing.T, want, got []Row) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want { // NaN is not equal to itself, its text is
		require.Equal(t, fmt.Sprintf("%x", want[i]), fmt.Sprintf("%x", got[i]), "row %d", i)
	}
}

func write(t *testing.T, dir string, rows ...Row) {
	t.Helper()
	w, err := Create(dir, small(t))
	require.NoError(t, err)
	for _, row := range rows {
		require.NoError(t, w.Append(row))
	}
	require.NoError(t, w.Close())
}

func TestRowsRoundTripExactly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	write(t, dir, rows[:2]...)
	write(t, dir, rows[2:]...) // a second session goes on
	run, err := Open(dir)
	require.NoError(t, err)
	requireRows(t, rows, run.Rows)
	require.Equal(t, "run", run.Name)
	require.Equal(t, small(t), run.Recipe)
	require.Nil(t, run.Result)
	began := time.Date(2016, 3, 30, 12, 0, 0, 500, time.UTC)
	require.NoError(t, os.Chtimes(filepath.Join(dir, recipeFile), began, began))
	require.Equal(t, began.Truncate(time.Second), run.Began(), "in its first session")
	run.Result = &Result{Started: began.Add(-time.Hour)}
	require.Equal(t, began.Add(-time.Hour), run.Began())

	best, ok := run.Best()
	require.True(t, ok)
	require.Equal(t, rows[1], best, "the first of two equal minima, never NaN")
	_, ok = Best(rows[3:])
	require.False(t, ok, "a run that only diverged has no best row")
}

func TestTornLastRowIsDropped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	write(t, dir, rows[:3]...)
	path := filepath.Join(dir, rowsFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	lastRow := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1

	// Cut at every byte: readers see the earlier rows, and the next writer goes on from them.
	for cut := lastRow; cut < len(whole); cut++ {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o644))
		run, err := Open(dir)
		require.NoError(t, err, "cut at byte %d", cut)
		requireRows(t, rows[:2], run.Rows)
	}
	write(t, dir, rows[2])
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(whole), string(again))

	// A power cut can leave zeros; a torn header is an empty log.
	require.NoError(t, os.WriteFile(path, append(whole[:lastRow:lastRow], "\x00\x00\x00\n"...), 0o644))
	run, err := Open(dir)
	require.NoError(t, err)
	requireRows(t, rows[:2], run.Rows)
	require.NoError(t, os.WriteFile(path, []byte(header[:20]), 0o644))
	write(t, dir, rows[0])
	run, err = Open(dir)
	require.NoError(t, err)
	requireRows(t, rows[:1], run.Rows)
}

// An editor on Windows ends lines in its own way, and begins a text with a mark.
func TestTextsOfWindows(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	write(t, dir, rows[:2]...)
	result := "{\"status\": \"stopped\"}"
	require.NoError(t, os.WriteFile(filepath.Join(dir, resultFile), []byte(result), 0o644))
	for _, name := range []string{recipeFile, rowsFile, resultFile} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), append([]byte("\ufeff"), text...), 0o644))
	}
	run, err := Open(dir)
	require.NoError(t, err)
	requireRows(t, rows[:2], run.Rows)
	require.Equal(t, "stopped", run.Result.Status)
	write(t, dir, rows[2])
	run, err = Open(dir)
	require.NoError(t, err)
	requireRows(t, rows[:3], run.Rows)
}

func TestDamagedLogIsAnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	write(t, dir, rows[:3]...)
	path := filepath.Join(dir, rowsFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, test := range map[string]struct{ old, new, want string }{
		"a letter":       {"66.66666666666667", "66.6x", `damaged in line 2 ("66.6x" is no number)`},
		"a column less":  {"1.5\t24\t", "1.5\t", "damaged in line 3 (9 columns instead of 10)"},
		"steps descend":  {"1\t16\t", "1\t40\t", "damaged in line 3 (step 24 follows step 40)"},
		"step not whole": {"1.5\t24\t", "1.5\t24.5\t", `damaged in line 3 ("24.5" is no step)`},
		"the last line":  {"2\t32\t", "2\tx32\t", `damaged in line 4 ("x32" is no step)`},
		"a row twice":    {"2\t32\t", "2\t24\t", "damaged in line 4 (step 24 follows step 24)"},
		"other columns":  {"train_loss", "loss", "its first line does not name the columns epoch, step,"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, bytes.Replace(whole, []byte(test.old), []byte(test.new), 1), 0o644))
			_, err := Open(dir)
			require.ErrorContains(t, err, path+" is damaged")
			require.ErrorContains(t, err, test.want)
			_, err = Create(dir, small(t))
			require.ErrorContains(t, err, test.want, "nor may a writer go on")
		})
	}
}

func TestTruncateAfter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, small(t))
	require.NoError(t, err)
	defer w.Close()
	for _, row := range rows[:3] {
		require.NoError(t, w.Append(row))
	}
	require.ErrorContains(t, w.Append(rows[0]), "is at step 32 already, a row of step 16 cannot follow")
	require.NoError(t, w.TruncateAfter(24))
	requireRows(t, rows[:2], w.Rows())
	require.NoError(t, w.Append(rows[2]))
	require.NoError(t, w.TruncateAfter(0))
	require.NoError(t, w.Append(rows[1]))
	run, err := Open(dir)
	require.NoError(t, err)
	requireRows(t, rows[1:2], run.Rows)
}

// A result of a completed run does not stay beside rows that end earlier.
func TestTruncationReopensTheResult(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, small(t))
	require.NoError(t, err)
	for _, row := range rows[:3] {
		require.NoError(t, w.Append(row))
	}
	result := Result{Completed: true, Status: "finished", Steps: 32, Epochs: 2, BestEpoch: 1.5, ValidationError: 30,
		TestError: 33, WallSeconds: 9}
	require.NoError(t, w.WriteResult(result))
	require.NoError(t, w.TruncateAfter(32))
	run, err := Open(dir)
	require.NoError(t, err)
	require.True(t, run.Finished())
	require.Equal(t, result, *run.Result)

	require.NoError(t, w.TruncateAfter(16))
	require.NoError(t, w.Close())
	run, err = Open(dir)
	require.NoError(t, err)
	require.False(t, run.Finished())
	require.Equal(t, Result{Status: "interrupted", Steps: 16, Epochs: 1, BestEpoch: 1, ValidationError: 40, TestError: 41,
		WallSeconds: 9}, *run.Result)
	requireRows(t, rows[:1], run.Rows)

	// Nor is a run finished whose log somebody cut; a record without log and checkpoints is.
	run.Result = &result
	require.False(t, run.Finished())
	run.Rows = nil
	require.True(t, run.Finished())
	require.NoError(t, os.Mkdir(run.CheckpointDir(), 0o755))
	require.False(t, run.Finished())
}

func TestAnotherRecipeIsRefusedByItsKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	write(t, dir)
	recipe := small(t)
	recipe.Depth, recipe.DeathRate, recipe.Milestones, recipe.Description = 26, 0, []float64{0.5}, "other words are fine"
	_, err := Create(dir, recipe)
	require.EqualError(t, err, "the run "+dir+" has another recipe (depth: 20, 26; death_rate: 0.5, 0; "+
		"milestones: [0.5 0.75], [0.5]; "+
		"the run's value first): choose another run name, or the run's settings")
	write(t, dir) // the refusal left no lock behind

	recipe = small(t)
	recipe.Epochs = 500
	_, err = Create(dir, recipe)
	require.EqualError(t, err, fmt.Sprintf("the run %s has another recipe (epochs: %d, 500; the run's value first): "+
		"choose another run name; to train its network on, "+
		"`stochdepth export %[1]s -o network.safetensors` and "+
		"`stochdepth import network.safetensors --run NAME --epochs 500` make a new run of it",
		dir, small(t).Epochs))
}

func TestSecondWriterIsToldWhoHoldsTheRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "RUNS_TEST_HOLD="+dir)
	output, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	defer child.Process.Kill()
	line, _ := bufio.NewReader(output).ReadString('\n')
	require.Equal(t, "held\n", line)

	_, err = Create(dir, small(t))
	var locked ErrLocked
	require.ErrorAs(t, err, &locked)
	require.Equal(t, dir, locked.Dir)
	host, _ := os.Hostname()
	require.Contains(t, locked.Holder, fmt.Sprintf("process %d on %s since 20", child.Process.Pid, host))
	run, err := Open(dir)
	require.NoError(t, err, "readers are never shut out")
	require.Equal(t, "running", run.Status())

	require.NoError(t, child.Process.Kill()) // the hard way, so nothing of it can clean up
	child.Wait()
	require.Equal(t, "interrupted", run.Status())
	write(t, dir, rows[0])

	w, err := Create(dir, small(t))
	require.NoError(t, err)
	defer w.Close()
	_, err = Create(dir, small(t))
	require.ErrorAs(t, err, &locked, "the same process is no exception")
}

// The mean over all minibatches: 30 with 9 open blocks, and 10 with 5.
func TestOpenBlocks(t *testing.T) {
	run := Run{Rows: []Row{{Step: 30, OpenBlocksMean: 9}, {Step: 40, OpenBlocksMean: 5}}}
	require.InDelta(t, 8, run.OpenBlocks(), 1e-12)
	run.Rows[0].OpenBlocksMean = math.NaN()
	require.True(t, math.IsNaN(run.OpenBlocks()))
	require.True(t, math.IsNaN((&Run{}).OpenBlocks()))
}

func TestUnfinished(t *testing.T) {
	run := Run{Recipe: recipes.Recipe{Epochs: 2}, Rows: []Row{{Epoch: 1.5}}}
	require.True(t, run.Unfinished())
	run.Result = &Result{Status: "stopped"}
	require.True(t, run.Unfinished())
	run.Result.Status = "" // of a network's file
	require.False(t, run.Unfinished())
	run.Result, run.Rows[0].Epoch = nil, 2
	require.False(t, run.Unfinished())
}

func TestResultRoundTrip(t *testing.T) {
	result := Result{
		BestEpoch: 3, ValidationError: 5.5, TestError: math.NaN(), Epochs: 4.25, Steps: 99, Completed: true, Status: "diverged",
		Message: "the loss is not a number", WallSeconds: 1. / 3, StepsPerSecond: math.Inf(1), CompileSeconds: 7,
		Session:    Session{Machine: "m", Device: "cpu", GoVersion: "go1", GoMLXVersion: "v0", PJRTVersion: "p", Commit: "c"},
		Parameters: 5,
		Started:    time.Unix(10, 0).UTC(), Ended: time.Unix(20, 0).UTC(),
		Earlier: []Session{{Machine: "first", Commit: "b"}, {Machine: "m", Device: "TFRT_CPU_0", Devices: 2, Commit: "c"}},
	}
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, small(t))
	require.NoError(t, err)
	require.NoError(t, w.WriteResult(result))
	require.NoError(t, w.Close())

	run, err := Open(dir)
	require.NoError(t, err)
	require.True(t, math.IsNaN(run.Result.TestError))
	require.True(t, math.IsNaN(run.Result.StepsPerSecond))
	result.TestError, result.StepsPerSecond = 0, 0
	run.Result.TestError, run.Result.StepsPerSecond = 0, 0
	require.Equal(t, result, *run.Result)
	require.Equal(t, "diverged", run.Status())
	require.Equal(t, []string{"first", "m", "m, cpu"}, run.Result.Machines())
	require.Equal(t, []string{"b", "c"}, run.Result.Commits())

	var plain map[string]any // and it is JSON to others
	data, err := os.ReadFile(filepath.Join(dir, resultFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &plain))
	require.Nil(t, plain["test_error"])
	require.Equal(t, 5.5, plain["validation_error"])
	require.Len(t, plain["earlier"], 2)
	require.Len(t, plain, 21)
}

func TestListGivesTheWholeOnesAndReportsTheBroken(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"b", "sweep/p0.5", "a", "broken/recipe", "broken/log", "broken/result", "broken/missing"} {
		write(t, filepath.Join(root, name), rows[:2]...)
	}
	require.NoError(t, os.MkdirAll(filepath.Join(root, "a", checkpointDir, "deep"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "broken/recipe", recipeFile), []byte("{"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "broken/log", rowsFile), []byte("hello\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "broken/result", resultFile), []byte("{"), 0o644))
	require.NoError(t, os.Remove(filepath.Join(root, "broken/missing", recipeFile)))

	list, err := List(root)
	var names []string
	for _, run := range list {
		names = append(names, run.Name)
	}
	require.Equal(t, []string{"a", "b", "sweep/p0.5"}, names)
	require.Equal(t, []string{"a", "b", "broken/log", "broken/missing", "broken/recipe", "broken/result", "sweep/p0.5"}, Names(root))
	require.Empty(t, Names(filepath.Join(root, "nowhere")))
	require.Len(t, strings.Split(err.Error(), "\n"), 4)
	for _, name := range []string{"recipe", "log", "result", "missing"} {
		require.ErrorContains(t, err, filepath.Join(root, "broken", name))
	}

	_, err = List(filepath.Join(root, "nowhere"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "train a model first")
	_, err = Open(filepath.Join(root, "nowhere"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "nowhere is not a run folder")
}

// The folder of the runs, and a run or a folder of runs in it, may be links: all see the same runs, each once.
func TestLinks(t *testing.T) {
	folder := t.TempDir()
	root, elsewhere, link := filepath.Join(folder, "runs"), filepath.Join(folder, "elsewhere"), filepath.Join(folder, "link")
	write(t, filepath.Join(root, "b"))
	write(t, filepath.Join(root, "sweep", "c"))
	write(t, filepath.Join(elsewhere, "one"))
	write(t, filepath.Join(elsewhere, "many", "d"))
	for name, target := range map[string]string{
		link:                                    "runs",
		filepath.Join(root, "a"):                filepath.Join(elsewhere, "one"),
		filepath.Join(root, "alias-of-b"):       "b",
		filepath.Join(root, "other"):            filepath.Join("..", "elsewhere", "many"),
		filepath.Join(root, "sweep", "up"):      "..",
		filepath.Join(elsewhere, "many", "all"): folder,
		filepath.Join(root, "text"):             "/dev/null",
		filepath.Join(root, ".#note"):           "user@host",
	} {
		require.NoError(t, os.Symlink(target, name))
	}
	t.Chdir(folder)
	for _, root := range []string{root, link, link + "/", "link", "./runs"} {
		list, err := List(root)
		require.NoError(t, err)
		var names []string
		for _, run := range list {
			names = append(names, run.Name)
			require.Equal(t, filepath.Join(root, run.Name), run.Dir)
		}
		require.Equal(t, []string{"a", "b", "other/d", "sweep/c"}, names, root)
		require.Equal(t, names, Names(root))
	}
	require.NoError(t, os.RemoveAll(filepath.Join(elsewhere, "one")))
	list, err := List("link")
	require.ErrorContains(t, err, "cannot look into link/a: ")
	require.Len(t, list, 3)
}

// All members of a group may write all files of a run that the group shares, including locks.
func TestSharedByAGroup(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o002))
	dir := filepath.Join(t.TempDir(), "sweep", "run")
	write(t, dir, rows[0])
	w, err := Create(dir, small(t))
	require.NoError(t, err)
	require.NoError(t, w.WriteResult(Result{Status: "stopped"}))
	require.NoError(t, w.Close())
	seen := 0
	require.NoError(t, filepath.WalkDir(filepath.Dir(dir), func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o664)
		if entry.IsDir() {
			want = 0o775
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		seen++
		return nil
	}))
	require.Equal(t, 7, seen, "two folders, recipe, log, result and both locks")
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full on this system")
	}
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, small(t))
	require.NoError(t, err)
	require.NoError(t, w.Append(rows[0]))
	log := w.log
	w.log = full
	err = w.Append(rows[1])
	require.EqualError(t, err, "no space left on device while writing "+filepath.Join(dir, rowsFile)+
		": free some space and start the same command again; the run is intact up to step 16")
	require.ErrorIs(t, err, syscall.ENOSPC)
	requireRows(t, rows[:1], w.Rows())

	w.log = log // space again
	require.NoError(t, w.Append(rows[1]))
	require.NoError(t, w.Close())
	run, err := Open(dir)
	require.NoError(t, err)
	requireRows(t, rows[:2], run.Rows)
}

func TestTable(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "stochastic"), rows[:3]...)
	write(t, filepath.Join(root, "young"))
	list, err := List(root)
	require.NoError(t, err)

	var table, tsv, asJSON bytes.Buffer
	require.NoError(t, Table(&table, list, "table"))
	require.Equal(t, ""+
		"name        data set  depth  rule    death rate  epochs  best epoch  validation %  test %  steps/s  time  status\n"+
		"stochastic  shapes       20  linear         0.5     2/6         1.5         30.00   33.00     4.00   8 s  interrupted\n"+
		"young       shapes       20  linear         0.5     0/6           -             -       -        -     -  interrupted\n",
		table.String())

	require.NoError(t, Table(&tsv, list, "tsv"))
	lines := strings.Split(strings.TrimSpace(tsv.String()), "\n")
	require.Len(t, lines, 3)
	require.Equal(t, "young\tshapes\t20\tlinear\t0.5\t0\t6\tNaN\tNaN\tNaN\tNaN\tNaN\tinterrupted", lines[2])

	require.NoError(t, Table(&asJSON, list, "json"))
	var objects []map[string]any
	require.NoError(t, json.Unmarshal(asJSON.Bytes(), &objects))
	require.Equal(t, 33.0, objects[0]["test_error"])
	require.Nil(t, objects[1]["test_error"])
	require.Len(t, objects[0], strings.Count(lines[0], "\t")+1)

	var asCSV bytes.Buffer
	list[1].Name = `a "b", c`
	require.NoError(t, Table(&asCSV, list, "csv"))
	cells, err := csv.NewReader(&asCSV).ReadAll()
	require.NoError(t, err)
	require.Equal(t, strings.Split(lines[0], "\t"), cells[0])
	require.Equal(t, strings.Split(lines[1], "\t"), cells[1])
	require.Equal(t, `a "b", c`, cells[2][0])

	require.EqualError(t, Table(&table, list, "xml"), `unknown format "xml": use table, tsv, csv, json`)
}

func TestOutcome(t *testing.T) {
	run := &Run{}
	require.Equal(t, "no evaluation yet", run.Outcome())
	run.Rows = []Row{{Epoch: 2, Step: 20, ValidationError: 30, TestError: math.NaN()}}
	require.Equal(t, "no test error yet at the epoch of the lowest validation error, 2", run.Outcome())
	run.Rows[0].TestError = 31.26
	require.Equal(t, "test error 31.3 % at the epoch of the lowest validation error, 2", run.Outcome())
}

// small is a recipe for tests that does not depend on changes of the presets.
func small(t *testing.T) recipes.Recipe {
	t.Helper()
	recipe, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	recipe.DeathRate, recipe.Epochs = 0.5, 6
	return recipe
}
