package training

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Package runs says what must agree in a run's folder, and which disagreements a crash explains.

// evaluations are the steps after which a run is evaluated: the end of each epoch or, if the recipe sets the steps between
// evaluations, their multiples and the end of the run.
type evaluations struct {
	perEpoch int64 // steps of an epoch
	every    int64 // the recipe's steps between evaluations; 0: the ends of epochs
	steps    int64 // of the whole run
}

// due reports whether a run is evaluated after the given number of steps.
func (e evaluations) due(step int64) bool {
	if e.every > 0 {
		return step%e.every == 0 || step == e.steps
	}
	return step%e.perEpoch == 0
}

// after returns the first due step after the given one.
func (e evaluations) after(step int64) int64 {
	if e.every == 0 {
		return (step/e.perEpoch + 1) * e.perEpoch
	}
	next := (step/e.every + 1) * e.every
	if step < e.steps {
		next = min(next, e.steps)
	}
	return next
}

// state is what a run's log and checkpoints say together: where it goes on, and what must be repaired first.
type state struct {
	from     string // Last or Best; "" for the beginning
	dir      string // of that checkpoint
	at       position
	keepBest bool // the newest checkpoint belongs to the best epoch, which has none yet
}

// examine reads the state of the run in the folder dir, which is evaluated as e says, by the rule of package runs. It changes
// nothing. An error says what is intact and what to do.
func (c *checkpoints) examine(dir string, rows []runs.Row, e evaluations) (s state, err error) {
	for _, name := range []string{Last, Best} {
		folder, p, err := c.read(name)
		if err == nil && p.Step > e.steps {
			err = fmt.Errorf("%w, it is of step %d of %d", errDamaged, p.Step, e.steps)
		}
		if err != nil {
			return s, c.explain(name, folder, rows, err)
		}
		if folder != "" {
			s = state{from: name, dir: folder, at: p}
			break
		}
	}
	if s.from == "" {
		// A crash before the first checkpoint can leave one row behind; more rows are a record that came without its
		// checkpoints, from git for example, and must not be overwritten.
		if len(rows) > 1 {
			return s, fmt.Errorf("the run %s is a record without checkpoints, so it cannot go on: "+
				"choose another run name, or delete the folder to train it again", dir)
		}
		return s, nil
	}
	var row int64 // the step of the last row before the checkpoint
	kept := rows[:0:0]
	for _, r := range rows {
		if r.Step > s.at.lastRow() {
			break
		}
		if due := e.after(row); r.Step != due {
			return s, fmt.Errorf("the log of the run %s has no row of step %d, but one of step %d: "+
				"restore epochs.tsv from a copy, or train again under another run name", dir, due, r.Step)
		}
		row, kept = r.Step, append(kept, r)
	}
	if row != s.at.lastRow() || s.at.Step > e.after(row) {
		return s, fmt.Errorf("the log of the run %s and its checkpoint %s do not agree: the checkpoint is of step %d, "+
			"with %d steps since the last row, but the last row before it is of step %d: "+
			"restore epochs.tsv or the checkpoint from a copy, or %s",
			dir, s.dir, s.at.Step, s.at.Row.Steps, row, c.alternative(s.from, rows))
	}
	best, ok := runs.Best(kept)
	if !ok || s.from == Best && best.Step == s.at.Step {
		return s, nil
	}
	folder, p, err := c.read(Best)
	switch isNewest := best.Step == s.at.Step && s.at.Row.Steps == 0; {
	case err == nil && folder != "" && p.Step == best.Step && p.Row.Steps == 0:
	case isNewest && (err == nil || errors.Is(err, errDamaged)):
		s.keepBest = true
	default:
		return s, c.explainBest(folder, p, err, kept)
	}
	return s, nil
}

// explainBest says why the best checkpoint, as read gave it, is not the one of the best row, and what to do.
func (c *checkpoints) explainBest(dir string, p position, err error, rows []runs.Row) error {
	if err == nil && dir == "" {
		dir, err = c.path(Best), errors.New("missing")
	} else if err == nil {
		err = fmt.Errorf("of step %d", p.Step)
	}
	return c.explain(Best, dir, rows, err)
}

// explain says what is wrong with a checkpoint, and what to do.
func (c *checkpoints) explain(name, dir string, rows []runs.Row, err error) error {
	if errors.Is(err, errUnreadable) {
		return err
	}
	best, found := runs.Best(rows)
	if name == Last || !found {
		return fmt.Errorf("the checkpoint %s is %w: restore this folder from a copy, or %s", dir, err, c.alternative(name, rows))
	}
	newest := ""
	if folder, p, err := c.read(Last); err == nil && folder != "" {
		newest = fmt.Sprintf("; the newest checkpoint (step %d) is intact, and `--checkpoint last` reads it", p.Step)
	}
	return fmt.Errorf("the checkpoint %s should be that of the best epoch (step %d) but is %w: "+
		"restore this folder from a copy, or train again under another run name%s", dir, best.Step, err, newest)
}

// alternative says what to do if no copy can be restored of a checkpoint that is damaged or does not fit the log.
func (c *checkpoints) alternative(name string, rows []runs.Row) string {
	if name == Last {
		dir, p, err := c.read(Best)
		if err == nil && dir != "" && slices.ContainsFunc(rows, func(row runs.Row) bool { return row.Step == p.Step }) {
			return fmt.Sprintf("delete the folder %s to go on from the checkpoint of the best epoch (step %d); "+
				"then the rows after it are made again", c.path(Last), p.Step)
		}
	}
	return "train again under another run name"
}

// resume restores the newest checkpoint, or else the one of the best epoch, and repairs what a crash left in disagreement.
// It changes nothing before it has found that everything else agrees.
func (s *session) resume() error {
	r := s.net.Recipe
	s.batches = s.net.Batches()
	s.steps = s.batches.Steps()
	s.evaluated = evaluations{s.batches.PerEpoch(), int64(r.EvaluateEvery), s.steps}
	s.schedule = s.net.RateSchedule()
	s.pipeline = pipeline{model: s.net.Model, compiled: make(map[int]bool), done: s.count, compiling: func() {
		s.spend()
		s.report("compiling", nil)
	}}
	found, err := s.checkpoints.examine(s.Dir, s.writer.Rows(), s.evaluated)
	if err != nil {
		return err
	}
	if found.from != "" {
		if err := s.checkpoints.restore(s.net.Model, found.dir, found.at); err != nil {
			return err
		}
	}
	s.at, s.saved, s.firstStep = found.at, found.at, found.at.Step
	s.join()
	if found.from == "" {
		s.saved.Step = -1
	}
	if err := s.checkpoints.tidy(); err != nil {
		return err
	}
	if err := s.writer.TruncateAfter(s.at.lastRow()); err != nil {
		return err
	}
	if found.from == Best { // the newest checkpoint was lost
		if err := s.checkpoints.save(s.net.Model, s.at); err != nil {
			return err
		}
	}
	if found.keepBest {
		return s.checkpoints.keepBest()
	}
	return nil
}

// finished returns the run in a folder if it was trained to its end and needs no repair, else nil. It asks for no lock and
// changes nothing.
func finished(dir string, recipe recipes.Recipe) (*runs.Run, error) {
	run, err := runs.Open(dir)
	if err != nil || !run.Finished() {
		return nil, nil // the writer that opens it next reports the error
	}
	if err := run.Refuse(recipe); err != nil {
		return nil, err
	}
	result := run.Result
	if best, ok := run.Best(); ok && !(best.Epoch == result.BestEpoch &&
		best.ValidationError == result.ValidationError && best.TestError == result.TestError) {
		return nil, nil
	}
	c := checkpoints{dir: run.CheckpointDir()}
	last, err := c.find(Last)
	if err != nil {
		return nil, nil
	}
	if best, err := c.find(Best); err == nil && last == "" && best == "" {
		return run, nil // a record without checkpoints
	}
	perEpoch := result.Steps / int64(run.Recipe.Epochs)
	if perEpoch < 1 {
		return nil, nil
	}
	s, err := c.examine(dir, run.Rows, evaluations{perEpoch, int64(run.Recipe.EvaluateEvery), result.Steps})
	if err != nil || s.dir != c.path(Last) || s.at.Step != result.Steps || s.at.Row.Steps > 0 || s.keepBest {
		return nil, nil
	}
	return run, nil
}

// bound is far beyond every variable of a network that learns; squares of larger numbers overflow in float32.
const bound = 1e18

// broken returns the name of a variable that is not finite or beyond bound, or "". The loss does not show all of these: a
// running variance that overflowed makes zeros at test, and a stopped run has no loss of its newest weights.
func broken(store *model.Store) (string, error) {
	for v := range store.IterVariables() {
		value, err := v.Value()
		if err != nil || value == nil {
			return "", err
		}
		finite := true
		err = value.ConstFlatData(func(flat any) {
			switch flat := flat.(type) {
			case []float32:
				for _, x := range flat {
					finite = finite && x >= -bound && x <= bound
				}
			case []float64:
				for _, x := range flat {
					finite = finite && x >= -bound && x <= bound
				}
			}
		})
		if err != nil || !finite {
			return v.Path(), err
		}
	}
	return "", nil
}

// isFinite reports whether x is neither NaN nor infinite.
func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
