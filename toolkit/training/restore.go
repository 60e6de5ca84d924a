package training

import (
	"errors"
	"fmt"
	"time"

	"github.com/gomlx/compute"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/runs"
)

// Restore returns the model of a run as one of its checkpoints, [Best] or [Last], has it, and the step
// the checkpoint was made at. Best is the checkpoint of the best row of the log, or an error. A run that has no
// best epoch yet gives the last checkpoint.
func Restore(b compute.Backend, run *runs.Run, checkpoint string, data *dataset.Data) (*Model, int64, error) {
	if checkpoint != Best && checkpoint != Last {
		return nil, 0, fmt.Errorf("there is no checkpoint %q: use %s or %s", checkpoint, Best, Last)
	}
	m, err := NewModel(b, run.Recipe, len(data.Classes), Fit(run.Recipe, data.Train))
	if err != nil {
		return nil, 0, err
	}
	c := checkpoints{dir: run.CheckpointDir()}
	for patience := 20; ; patience-- {
		dir, p, err := c.choose(run, checkpoint)
		if err == nil {
			err = c.restore(m, dir, p)
		}
		if err == nil {
			return m, p.Step, nil
		}
		if patience == 0 || run.Status() != "running" {
			return nil, 0, err
		}
		time.Sleep(100 * time.Millisecond) // its writer may just be replacing the checkpoint
		if now, err := runs.Open(run.Dir); err == nil {
			run = now
		}
	}
}

// choose finds the checkpoint that Restore reads.
func (c *checkpoints) choose(run *runs.Run, name string) (dir string, p position, err error) {
	best, found := run.Best()
	if name == Best && found {
		for _, name := range []string{Best, Last} { // that of the best row may not be known as the best one yet
			dir, p, err = c.read(name)
			if err == nil && dir != "" && p.Step == best.Step && p.Row.Steps == 0 {
				return dir, p, nil
			}
		}
	}
	last, newest, err := c.read(Last)
	bestDir, bestAt, bestErr := c.read(Best)
	switch {
	case last == "" && bestDir == "" && err == nil && bestErr == nil:
		return "", p, fmt.Errorf("the run %s has no checkpoint here (they are not kept in git): train it with `stochdepth train`, or import its weights", run.Name)
	case name == Best && found && last != "" && newest.Step < best.Step && err == nil:
		return "", p, fmt.Errorf("the checkpoint of the best epoch (step %d) of the run %s is not written: start its training again to have it made, or use `--checkpoint last`", best.Step, run.Name)
	case name == Best && found && bestErr == nil && bestDir != "":
		return "", p, c.explain(Best, bestDir, run.Rows, fmt.Errorf("of step %d", bestAt.Step))
	case name == Best && found && bestErr == nil:
		return "", p, c.explain(Best, c.path(Best), run.Rows, errors.New("missing"))
	case name == Best && found:
		return "", p, c.explain(Best, c.path(Best), run.Rows, bestErr)
	case name == Best && bestDir != "" && bestErr == nil:
		return "", p, fmt.Errorf("the run %s has a checkpoint of its best epoch (step %d) but no log: restore epochs.tsv from a copy, or use `--checkpoint last`", run.Name, bestAt.Step)
	case err != nil:
		return "", p, c.explain(Last, last, run.Rows, err)
	case last == "":
		return "", p, fmt.Errorf("the run %s has lost its newest checkpoint: start its training again to have it made, or use `--checkpoint best`", run.Name)
	}
	return last, newest, nil
}

// ImportRun makes a run in a new folder from a safetensors file (see [Model.Export]): its checkpoint,
// at step 0, has the file's weights, to be evaluated or trained on.
func ImportRun(b compute.Backend, path, dir string, recipe runs.Recipe, data *dataset.Data) error {
	m, err := NewModel(b, recipe, len(data.Classes), Fit(recipe, data.Train))
	if err != nil {
		return err
	}
	if err := m.Import(path); err != nil {
		return err
	}
	writer, err := runs.Create(dir, recipe)
	if err != nil {
		return err
	}
	defer writer.Close()
	c := checkpoints{dir: writer.CheckpointDir()}
	if there, err := c.find(Last); err != nil {
		return err
	} else if len(writer.Rows()) > 0 || there != "" {
		return fmt.Errorf("the run %s exists already: choose another name", dir)
	}
	return c.save(m, position{})
}
