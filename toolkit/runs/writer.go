package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/runs/recipes"
)

// Writer is the writing side of a run folder, which has one writer at a time. It is for one goroutine.
type Writer struct {
	dir  string
	lock *lock
	log  *os.File // epochs.tsv, for appending; nil before the first change
	size int64    // of the whole rows in log, bytes
	rows []Row
	torn bool // the file has a torn row after these
}

// Create opens the run folder dir for writing: it makes the folder, or goes on with one that has the same recipe, whose
// rows it loads and leaves as they are until the first change. It returns ErrLocked if another process writes the run, an
// error that names the differing keys if the folder belongs to another recipe, and an error if the folder holds other
// runs, which nobody would find any more. Close releases the folder. So does the end of the process, however it ends;
// other machines notice it after a minute.
func Create(dir string, recipe recipes.Checker) (_ *Writer, err error) {
	checked, err := recipe.Check()
	if err != nil {
		return nil, err
	}
	if !isRun(dir) && len(Names(dir)) > 0 {
		return nil, fmt.Errorf("%s is a folder of runs, so it cannot be a run itself: choose another run name", dir)
	}
	if err := disk.MkdirAll(dir); err != nil {
		return nil, files.WriteError(dir, err)
	}
	w := &Writer{dir: dir}
	if w.lock, err = takeLock(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	w.removeLeftovers()
	if err := w.claim(checked.Recipe()); err != nil {
		return nil, err
	}
	w.rows, w.torn, err = readRows(w.path(rowsFile))
	return w, err
}

// claim writes the recipe into a new folder, or checks that the folder has this recipe.
func (w *Writer) claim(recipe recipes.Recipe) error {
	path := w.path(recipeFile)
	existing, err := recipes.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return recipe.Write(path)
	}
	if err != nil {
		return err
	}
	return sameRecipe(w.dir, existing, recipe)
}

func sameRecipe(dir string, existing, asked recipes.Recipe) error {
	differences := recipes.Differences(existing, asked)
	if len(differences) == 0 {
		return nil
	}
	remedy := "choose another run name, or the run's settings"
	if len(differences) == 1 && existing.Epochs != asked.Epochs {
		remedy = fmt.Sprintf("choose another run name; to train its network on, `stochdepth export %s -o network.safetensors` and "+
			"`stochdepth import network.safetensors --run NAME --epochs %d` make a new run of it", dir, asked.Epochs)
	}
	return fmt.Errorf("the run %s has another recipe (%s; the run's value first): %s", dir, strings.Join(differences, "; "), remedy)
}

func (w *Writer) path(name string) string { return filepath.Join(w.dir, name) }

// Rows returns the rows written so far, including those of earlier sessions. The slice belongs to the writer.
func (w *Writer) Rows() []Row { return w.rows }

// CheckpointDir is the folder for the training's checkpoints, inside the run folder; it need not exist yet.
func (w *Writer) CheckpointDir() string { return w.path(checkpointDir) }

// Check returns ErrLocked if another machine has taken over the run. This happens after a minute without a sign of life
// from this machine, because it was suspended or cut off from a shared folder. Nothing more may be written then. Append
// and WriteResult check by themselves.
func (w *Writer) Check() error { return w.lock.check() }

// Append adds one row and returns when it is on disk. Steps must ascend. After an error the file holds the earlier rows,
// whole.
func (w *Writer) Append(row Row) error {
	if last := w.lastStep(); len(w.rows) > 0 && row.Step <= last {
		return fmt.Errorf("the log of %s is at step %d already, a row of step %d cannot follow", w.dir, last, row.Step)
	}
	if err := w.lock.check(); err != nil {
		return err
	}
	if err := w.openLog(); err != nil {
		return err
	}
	line := row.line()
	err := disk.Write(w.log, []byte(line))
	if err == nil {
		err = w.log.Sync()
	}
	if err != nil {
		disk.Truncate(w.log, w.size) // if this fails too, the torn row is dropped by the next reader
		return w.explain(rowsFile, err)
	}
	w.size += int64(len(line))
	w.rows = append(w.rows, row)
	return nil
}

// TruncateAfter drops the rows after a step: a run resumed from an older checkpoint writes them again. A result that says
// that the run was completed at a later step is marked as interrupted first, so that no crash leaves it beside fewer
// rows.
func (w *Writer) TruncateAfter(step int64) error {
	keep := len(w.rows)
	for keep > 0 && w.rows[keep-1].Step > step {
		keep--
	}
	if err := w.reopenResult(w.rows[:keep], step); err != nil {
		return err
	}
	if keep == len(w.rows) && !w.torn {
		return nil
	}
	return w.rewrite(w.rows[:keep])
}

// reopenResult changes a result that says that the run was completed after step: it then says that the run, with these
// rows, was interrupted at step.
func (w *Writer) reopenResult(rows []Row, step int64) error {
	result, err := readResult(w.path(resultFile))
	if err != nil || result == nil || !result.Completed || result.Steps <= step {
		return err
	}
	perEpoch := float64(result.Steps) / result.Epochs
	result.Completed, result.Status, result.Message = false, interrupted, ""
	result.Steps, result.Epochs = step, float64(step)/perEpoch
	result.BestEpoch, result.ValidationError, result.TestError = math.NaN(), math.NaN(), math.NaN()
	if best, ok := Best(rows); ok {
		result.BestEpoch, result.ValidationError, result.TestError = best.Epoch, best.ValidationError, best.TestError
	}
	return w.WriteResult(*result)
}

// SetTestError adds the test error, in percent, to the row of a step that was not evaluated on the test part.
func (w *Writer) SetTestError(step int64, percent float64) error {
	if err := w.lock.check(); err != nil {
		return err
	}
	rows := slices.Clone(w.rows)
	for i := range rows {
		if rows[i].Step == step {
			rows[i].TestError = percent
			return w.rewrite(rows)
		}
	}
	return fmt.Errorf("the log of %s has no row of step %d", w.dir, step)
}

// WriteResult replaces result.json.
func (w *Writer) WriteResult(result Result) error {
	if err := w.lock.check(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write the result of %s: %w", w.dir, err)
	}
	return w.explain(resultFile, files.Write(w.path(resultFile), append(data, '\n')))
}

// Close releases the folder for the next writer.
func (w *Writer) Close() error {
	var err error
	if w.log != nil {
		err = w.log.Close()
	}
	return errors.Join(err, w.lock.release())
}

// rewrite replaces the content of epochs.tsv by rows.
func (w *Writer) rewrite(rows []Row) error {
	var text strings.Builder
	text.WriteString(header)
	for _, row := range rows {
		text.WriteString(row.line())
	}
	if err := files.Write(w.path(rowsFile), []byte(text.String())); err != nil {
		return w.explain(rowsFile, err)
	}
	w.rows, w.torn = rows, false
	if w.log != nil {
		w.log.Close()
		w.log = nil
	}
	return nil
}

// openLog opens epochs.tsv for appending, after removing what is not a whole row.
func (w *Writer) openLog() error {
	if w.log != nil {
		return nil
	}
	path := w.path(rowsFile)
	if _, err := os.Stat(path); err != nil || w.torn || len(w.rows) == 0 { // an empty log may lack its header
		if err := w.rewrite(w.rows); err != nil {
			return err
		}
	}
	var err error
	if w.log, err = os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return files.WriteError(path, err)
	}
	info, err := w.log.Stat()
	if err != nil {
		return files.WriteError(path, err)
	}
	w.size = info.Size()
	return nil
}

func (w *Writer) lastStep() int64 {
	if len(w.rows) == 0 {
		return 0
	}
	return w.rows[len(w.rows)-1].Step
}

// explain adds to the error of a full disk what the user most wants to know: that the run is safe.
func (w *Writer) explain(name string, err error) error {
	err = files.WriteError(w.path(name), err)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w; the run is intact up to step %d", err, w.lastStep())
	}
	return err
}

// leftAfter is how long after its last change a file is left alone that another process may be writing to a run's folder.
const leftAfter = time.Minute

// removeLeftovers removes the temporary files that killed writers left in the run's folder. This writer holds the lock,
// so nobody else writes the run's own files; but other processes may be asking for the lock, or noting a failure.
func (w *Writer) removeLeftovers() {
	for _, name := range []string{recipeFile, rowsFile, resultFile, picturesFile} {
		files.RemoveLeft(w.dir, files.Temporary(name), 0, time.Now())
	}
	info, err := os.Stat(w.lock.claim.path()) // just made, by the clock of the folder
	if err != nil {
		return
	}
	files.RemoveLeft(w.dir, temporaryClaim, leftAfter, info.ModTime())
	files.RemoveLeft(w.dir, files.Temporary("failed.json"), leftAfter, info.ModTime())
}

// Remove deletes the run in the folder dir, which may be missing. A folder that is not a run is left alone, and so is a
// run that a process is writing ([ErrLocked]).
func Remove(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := Open(dir); err != nil {
		return fmt.Errorf("not deleted, because it cannot be read as a run: %w", err)
	}
	lock, err := takeLock(dir)
	if err != nil {
		return err
	}
	defer lock.release()
	return disk.RemoveAll(dir)
}
