package training

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/optimizer"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// What agrees in a run's folder, and which disagreements a crash explains, is said in package runs.

// evaluations are the steps after which a run is evaluated: at the end of each epoch, or, where the recipe has steps
// between evaluations, at multiples of these and at the end.
type evaluations struct {
	perEpoch int64 // steps of an epoch
	every    int64 // steps between evaluations, of the recipe; 0: the ends of epochs
	steps    int64 // of the whole run
}

// due reports whether a run is evaluated after so many steps.
func (e evaluations) due(step int64) bool {
	if e.every > 0 {
		return step%e.every == 0 || step == e.steps
	}
	return step%e.perEpoch == 0
}

// after is the first step after step that is due.
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

// state is what a run's log and checkpoints say together: where it goes on, and what is to be mended first.
type state struct {
	from     string // Last or Best; "" for the beginning
	dir      string // of that checkpoint
	at       position
	keepBest bool // the newest checkpoint is the best epoch's, which has none yet
}

// examine reads the state of the run in the folder dir of so many steps, by the rule of package runs. It changes
// nothing. An error says what is whole and what to do.
func (c *checkpoints) examine(dir string, rows []runs.Row, e evaluations, steps int64) (s state, err error) {
	for _, name := range []string{Last, Best} {
		folder, p, err := c.read(name)
		if err == nil && p.Step > steps {
			err = fmt.Errorf("%w, it is of step %d of %d", errDamaged, p.Step, steps)
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
		// checkpoints, from git for example, and is not to be overwritten.
		if len(rows) > 1 {
			return s, fmt.Errorf("the run %s is a record without checkpoints, so it cannot go on: choose another run name, or delete the folder to train it anew", dir)
		}
		return s, nil
	}
	var row int64 // the step of the last row that the checkpoint knows
	kept := rows[:0:0]
	for _, r := range rows {
		if r.Step > s.at.lastRow() {
			break
		}
		if due := e.after(row); r.Step != due {
			return s, fmt.Errorf("the log of the run %s has no row of step %d, but one of step %d: restore epochs.tsv from a copy, or train anew under another run name", dir, due, r.Step)
		}
		row, kept = r.Step, append(kept, r)
	}
	if row != s.at.lastRow() || s.at.Step > e.after(row) {
		return s, c.outOfStep(dir, s, row, rows)
	}
	best, ok := runs.Best(kept)
	if !ok || s.from == Best && best.Step == s.at.Step {
		return s, nil
	}
	folder, p, err := c.read(Best)
	switch isNewest := best.Step == s.at.Step && s.at.Row.Steps == 0; {
	case err != nil && !(isNewest && errors.Is(err, errDamaged)):
		return s, c.explain(Best, folder, kept, err)
	case err == nil && folder != "" && p.Step == best.Step && p.Row.Steps == 0:
	case isNewest:
		s.keepBest = true
	case folder == "":
		return s, c.explain(Best, c.path(Best), kept, errors.New("missing"))
	default:
		return s, c.explain(Best, folder, kept, fmt.Errorf("of step %d", p.Step))
	}
	return s, nil
}

// outOfStep says that the log and the checkpoint that a run would go on from do not fit together.
func (c *checkpoints) outOfStep(dir string, s state, row int64, rows []runs.Row) error {
	what := fmt.Sprintf("the log of the run %s and its checkpoint %s are out of step: the checkpoint is of step %d, with %d steps since the last row, but the last row before it is of step %d",
		dir, s.dir, s.at.Step, s.at.Row.Steps, row)
	return fmt.Errorf("%s: restore epochs.tsv or the checkpoint from a copy, or %s", what, c.alternative(s.from, rows))
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
		newest = fmt.Sprintf("; the newest checkpoint (step %d) is whole, and `--checkpoint last` reads it", p.Step)
	}
	return fmt.Errorf("the checkpoint %s should be that of the best epoch (step %d) but is %w: restore this folder from a copy, or train anew under another run name%s",
		dir, best.Step, err, newest)
}

// alternative says what to do when the log and the checkpoint do not fit together, or that is damaged.
func (c *checkpoints) alternative(name string, rows []runs.Row) string {
	if name == Last {
		if dir, p, err := c.read(Best); err == nil && dir != "" && hasRow(rows, p.Step) {
			return fmt.Sprintf("delete the folder %s to go on from the checkpoint of the best epoch (step %d), the rows after it are then made again", c.path(Last), p.Step)
		}
	}
	return "train anew under another run name"
}

func hasRow(rows []runs.Row, step int64) bool {
	for _, row := range rows {
		if row.Step == step {
			return true
		}
	}
	return false
}

// resume restores the newest checkpoint, or else the best epoch's, and mends what a crash left out of step. It changes
// nothing before it has found that all else agrees.
func (s *session) resume() error {
	r := s.net.Recipe
	s.batches = s.net.Batches()
	s.steps = s.batches.Steps()
	s.evaluated = evaluations{s.batches.PerEpoch(), int64(r.EvaluateEvery), s.steps}
	s.schedule = optimizer.Schedule{Rate: r.LearningRate, Drops: r.RateDrops(),
		WarmupEpochs: r.WarmupEpochs, WarmupRate: r.WarmupRate}
	s.pipeline = pipeline{model: s.net.Model, compiled: make(map[int]bool), done: s.count, compiling: func() {
		s.spend()
		s.report("compiling", nil)
	}}
	found, err := s.checkpoints.examine(s.Dir, s.writer.Rows(), s.evaluated, s.steps)
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
	if found.from == Best { // the newest was lost
		if err := s.checkpoints.save(s.net.Model, s.at); err != nil {
			return err
		}
	}
	if found.keepBest {
		return s.checkpoints.keepBest()
	}
	return nil
}

// finished returns the run in a folder if it was trained to its end and nothing is to be mended, else nil. It asks for
// no lock and changes nothing.
func finished(dir string, recipe recipes.Recipe) (*runs.Run, error) {
	run, err := runs.Open(dir)
	if err != nil || !run.Finished() {
		return nil, nil // whoever opens it to work on says why not
	}
	if err := run.Refuse(recipe); err != nil {
		return nil, err
	}
	if best, ok := run.Best(); ok && !(best.Epoch == run.Result.BestEpoch && best.ValidationError == run.Result.ValidationError && best.TestError == run.Result.TestError) {
		return nil, nil
	}
	c := checkpoints{dir: run.CheckpointDir()}
	last, err := c.find(Last)
	if err != nil {
		return nil, nil
	}
	if best, err := c.find(Best); err == nil && last == "" && best == "" {
		return run, nil // a record
	}
	perEpoch := run.Result.Steps / int64(run.Recipe.Epochs)
	if perEpoch < 1 {
		return nil, nil
	}
	s, err := c.examine(dir, run.Rows, evaluations{perEpoch, int64(run.Recipe.EvaluateEvery), run.Result.Steps}, run.Result.Steps)
	if err != nil || s.dir != filepath.Join(c.dir, Last) || s.at.Step != run.Result.Steps || s.at.Row.Steps > 0 || s.keepBest {
		return nil, nil
	}
	return run, nil
}

// bound is what no variable of a network that learns comes near; the square of more overflows in float32.
const bound = 1e18

// broken names a variable of the network that is not finite or beyond all bounds, or is "". A loss can be finite all the
// same: a running variance that overflowed makes zeros at test, and a stop has no loss of the newest weights.
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

// isFinite is false for NaN and the infinities.
func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
