// Package runs keeps the record of training runs: what was asked for (Recipe), what happened (Row, one for
// each evaluation) and what came out (Result). A run is a folder, and everything about it is in the folder:
//
//	recipe.json   everything that defines the run; unknown keys are refused
//	epochs.tsv    one row for each evaluation, see Row
//	result.json   the selected epoch, its errors, times, machine and versions, see Result
//	pictures.json what its folder of pictures held when it began, see dataset.Contents; of other data sets there is none
//	checkpoint/   written by the training; this package only names it
//	lock          held by the one process that writes; lock.N says which, and that its machine is alive
//
// Writer is the writing side and Run the reading side: any number of readers may look while one process writes.
// Files are replaced whole or grow by whole rows, so a reader never sees half of anything that matters.
//
// # What agrees
//
// One rule says how log, checkpoints and result agree. The training checks it whenever it opens a run, before it changes
// anything:
//
//  1. The newest checkpoint, checkpoint/last, records its step and how many steps it is after the last row; the log ends
//     with that row.
//  2. There is a row for every step at which an evaluation was due.
//  3. checkpoint/best is the checkpoint of the best row, see [Best].
//  4. A result that says that the run is completed belongs to the last row.
//
// An evaluation keeps the rule by the order of its writes. The new checkpoint is written whole under another name and
// flushed to disk; the row is appended; the checkpoint takes its place as last and then, if the row is the best one, as
// best; after the last row the result is written. So a crash can leave three states that break the rule, and each is
// repaired:
//
//   - A row that the newest checkpoint does not know: it is dropped, and the training makes it again, bit for bit. The
//     same holds for several rows, if an older checkpoint was put back, or if the newest was lost and the training goes
//     on from the best; a result of a completed run is marked as interrupted before its rows are dropped.
//   - A best checkpoint that is missing or belongs to an earlier row, where the best row is that of the newest
//     checkpoint: the newest is kept as the best one.
//   - A completed run without its result, or a best row without its test error: these are made.
//
// Anything else did not come from a crash: files were edited, deleted, put back or damaged. Then the run is refused
// with a sentence that says what is intact and what to do, and nothing is changed.
package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"stochdepth/toolkit/runs/recipes"
)

// Names of the files inside a run folder.
const (
	recipeFile    = "recipe.json"
	rowsFile      = "epochs.tsv"
	resultFile    = "result.json"
	picturesFile  = "pictures.json"
	lockFile      = "lock"
	checkpointDir = "checkpoint"
)

// Run is a run folder as read by Open.
type Run struct {
	Dir    string         // the folder
	Name   string         // its name; from List and Find, its path below the root with forward slashes
	Recipe recipes.Recipe // what was asked for
	Rows   []Row          // in the order of their steps; empty before the first evaluation
	Result *Result        // nil until the run has ended once
}

// Open reads the run folder dir. A row torn by a crash at the end of epochs.tsv is dropped, and a run without rows or
// result is fine (it has just started). Missing or damaged files give one sentence that names the file; a missing
// folder satisfies errors.Is(err, fs.ErrNotExist).
func Open(dir string) (_ *Run, err error) {
	defer func() { err = showing(dir, err) }()
	recipe, err := recipes.Read(filepath.Join(dir, recipeFile))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is not a run folder, it has no %s: %w", dir, recipeFile, fs.ErrNotExist)
		}
		return nil, err
	}
	rows, _, err := readRows(filepath.Join(dir, rowsFile))
	if err != nil {
		return nil, err
	}
	result, err := readResult(filepath.Join(dir, resultFile))
	if err != nil {
		return nil, err
	}
	return &Run{Dir: dir, Name: filepath.Base(filepath.Clean(dir)), Recipe: recipe, Rows: rows, Result: result}, nil
}

// OpenAll is [Open] for several runs.
func OpenAll(dirs ...string) (list []*Run, err error) {
	for _, dir := range dirs {
		run, err := Open(dir)
		if err != nil {
			return nil, err
		}
		list = append(list, run)
	}
	return list, nil
}

// List reads every run folder at any depth below root, sorted by name. Runs that cannot be read are left out of the
// list and reported together in the error, so a caller may print both.
func List(root string) ([]*Run, error) {
	if _, err := os.Stat(root); err != nil {
		return nil, fmt.Errorf("no run folder %s: train a model first, or name the folder that holds the runs: %w",
			root, fs.ErrNotExist)
	}
	var list []*Run
	var broken []error
	walk(root, func(path, name string) {
		run, err := Open(path)
		if err != nil {
			broken = append(broken, err)
			return
		}
		if name != "." {
			run.Name = name
		}
		list = append(list, run)
	}, func(path string, err error) {
		broken = append(broken, showing(path, fmt.Errorf("cannot look into %s: %w", path, err)))
	})
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list, errors.Join(broken...)
}

// Names lists the names of the runs below root, sorted, without reading them: those of [List] and of broken ones.
func Names(root string) []string {
	var names []string
	walk(root, func(_, name string) {
		if name != "." {
			names = append(names, name)
		}
	}, func(string, error) {})
	sort.Strings(names)
	return names
}

// walk calls run for each run folder below root with its name, which is "." for root itself, and closed for each folder
// that it cannot read. It looks for no runs inside a run. It follows links to folders, and root may be a link, but it
// visits no folder twice: one that lies below root is named by its path there, whatever links lead to it.
func walk(root string, run func(path, name string), closed func(path string, err error)) {
	type link struct{ path, name string }
	links := []link{{root, "."}}
	visited := make(map[string]bool) // by the path without links
	var visit func(dir, real, name string)
	visit = func(dir, real, name string) {
		if visited[real] {
			return
		}
		visited[real] = true
		if isRun(dir) {
			run(dir, name)
			return
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			closed(dir, err)
		}
		for _, entry := range entries {
			below := link{filepath.Join(dir, entry.Name()), path.Join(name, entry.Name())}
			switch {
			case entry.IsDir():
				visit(below.path, filepath.Join(real, entry.Name()), below.name)
			case entry.Type()&fs.ModeSymlink != 0 && !strings.HasPrefix(entry.Name(), "."): // links with a dot are made by editors
				links = append(links, below)
			}
		}
	}
	for len(links) > 0 { // links are followed last
		link := links[0]
		links = links[1:]
		real, err := realPath(link.path)
		switch {
		case err != nil: // to something missing, such as a removed disk
			closed(link.path, err)
		case isDir(real):
			visit(link.path, real, link.name)
		}
	}
}

// realPath returns the absolute path of an existing file or folder, with its links resolved.
func realPath(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(absolute)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// isRun reports whether dir holds any file of a run; one without a recipe counts, so that List can report it.
func isRun(dir string) bool {
	for _, name := range []string{recipeFile, rowsFile, resultFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// CheckpointDir is the folder of the run's checkpoints, inside the run folder; it need not exist.
func (r *Run) CheckpointDir() string { return filepath.Join(r.Dir, checkpointDir) }

// Best is the row that the paper reports: see the function Best.
func (r *Run) Best() (Row, bool) { return Best(r.Rows) }

// Best returns the first row with the lowest validation error, whose test error is the one to report (the paper's
// Section 4: "test error at the lowest validation error"). It is false when no row has a validation error.
func Best(rows []Row) (Row, bool) {
	best, found := Row{ValidationError: math.Inf(1)}, false
	for _, row := range rows {
		if row.ValidationError < best.ValidationError { // false for NaN
			best, found = row, true
		}
	}
	return best, found
}

// Selected is the row that the paper reports, as [Run.Best] gives it. For a run recorded without its log, the result
// gives the epoch and the errors of that row; the rest is unknown.
func (r *Run) Selected() (Row, bool) {
	if len(r.Rows) > 0 || r.Result == nil {
		return r.Best()
	}
	row := Unknown()
	row.Epoch, row.ValidationError, row.TestError = r.Result.BestEpoch, r.Result.ValidationError, r.Result.TestError
	return row, !math.IsNaN(row.ValidationError)
}

// Seconds is the training time so far; for a run recorded without its log, the time of all its work. It is NaN before the
// first evaluation.
func (r *Run) Seconds() float64 {
	switch n := len(r.Rows); {
	case n > 0:
		return r.Rows[n-1].Seconds
	case r.Result != nil:
		return r.Result.WallSeconds
	}
	return math.NaN()
}

// Began is when the run began, to the second: as its result says or, before the end of its first session, when its recipe
// was written. It is the zero time if neither is known.
func (r *Run) Began() time.Time {
	if r.Result != nil && !r.Result.Started.IsZero() {
		return r.Result.Started
	}
	if info, err := os.Stat(filepath.Join(r.Dir, recipeFile)); err == nil {
		return info.ModTime().UTC().Truncate(time.Second)
	}
	return time.Time{}
}

// Outcome says in a few words how well the run did so far: its test error (percent) at its best row.
func (r *Run) Outcome() string {
	best, ok := r.Selected()
	if !ok {
		return "no evaluation yet"
	}
	if math.IsNaN(best.TestError) || math.IsInf(best.TestError, 0) {
		return fmt.Sprintf("no test error yet at the epoch of the lowest validation error, %g", best.Epoch)
	}
	return fmt.Sprintf("test error %.1f %% at the epoch of the lowest validation error, %g", best.TestError, best.Epoch)
}

// Refuse returns an error that names the differing keys if the run's recipe is not the one asked for.
func (r *Run) Refuse(asked recipes.Recipe) error { return sameRecipe(r.Dir, r.Recipe, asked) }

// Finished reports whether the run was trained to its end. A result that says so counts only if it belongs to the last
// row. Without a log it counts if there are no checkpoints, with which there would be a log: the run is then a record.
func (r *Run) Finished() bool {
	if r.Result == nil || !r.Result.Completed {
		return false
	}
	if len(r.Rows) == 0 {
		_, err := os.Stat(r.CheckpointDir())
		return errors.Is(err, fs.ErrNotExist)
	}
	return r.Rows[len(r.Rows)-1].Step == r.Result.Steps
}

// EpochsDone is the number of epochs in the log, including a part of one; without a log, the number in the result.
func (r *Run) EpochsDone() float64 {
	switch n := len(r.Rows); {
	case n > 0:
		return r.Rows[n-1].Epoch
	case r.Result != nil:
		return r.Result.Epochs
	}
	return 0
}

// Unfinished reports whether the log ends before the recipe does. It is false for a trained network's file, whose result
// has no status: its one row is the network's epoch, so this is not known.
func (r *Run) Unfinished() bool {
	return r.EpochsDone() < float64(r.Recipe.Epochs) && (r.Result == nil || r.Result.Status != "")
}

// OpenBlocks is the mean number of open blocks over all minibatches of the log: the mean of each row is weighted by the
// number of minibatches since the previous row. It is NaN if the log does not have it.
func (r *Run) OpenBlocks() float64 {
	var sum float64
	var before int64
	for _, row := range r.Rows {
		sum += row.OpenBlocksMean * float64(row.Step-before)
		before = row.Step
	}
	if sum == 0 { // an old log, in which open blocks were not counted
		return math.NaN()
	}
	return sum / float64(before)
}

// interrupted is the status of a run that did not end in order.
const interrupted = "interrupted"

// Status is "running" while a process holds the run's lock, else how the run last ended ("finished", "stopped",
// "diverged"), or "interrupted" when it never ended in order.
func (r *Run) Status() string {
	switch {
	case locked(r.Dir):
		return "running"
	case r.Result != nil:
		return r.Result.Status
	}
	return interrupted
}
