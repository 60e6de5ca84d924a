package training

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gomlx/compute"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/runs"
)

// Restore returns the model of a run as one of its checkpoints, [Best] or [Last], has it, and the step
// the checkpoint was made at. A run that has no best epoch yet gives the last checkpoint.
func Restore(b compute.Backend, run *runs.Run, checkpoint string, data *dataset.Data) (*Model, int64, error) {
	if checkpoint != Best && checkpoint != Last {
		return nil, 0, fmt.Errorf("there is no checkpoint %q: use %s or %s", checkpoint, Best, Last)
	}
	m, err := NewModel(b, run.Recipe, len(data.Classes), Fit(run.Recipe, data.Train))
	if err != nil {
		return nil, 0, err
	}
	c := checkpoints{dir: run.CheckpointDir()}
	if checkpoint == Best && c.find(Best) == "" {
		checkpoint = Last
	}
	p, found, err := c.restore(m, checkpoint)
	if err != nil {
		return nil, 0, err
	}
	if !found {
		return nil, 0, fmt.Errorf("the run %s has no checkpoint here (they are not kept in git): train it with `stochdepth train`, or import its weights", run.Name)
	}
	return m, p.Step, nil
}

// ImportRun makes a run in a new folder from a safetensors file (see [Model.Export]): its checkpoint,
// at step 0, has the file's weights, to be evaluated or trained on. After an error there is no new folder.
func ImportRun(b compute.Backend, path, dir string, recipe runs.Recipe, data *dataset.Data) (err error) {
	m, err := NewModel(b, recipe, len(data.Classes), Fit(recipe, data.Train))
	if err != nil {
		return err
	}
	if err := m.Import(path); err != nil {
		return err
	}
	_, err = os.Lstat(dir)
	fresh := errors.Is(err, fs.ErrNotExist)
	defer func() {
		if locked := (runs.ErrLocked{}); err != nil && fresh && !errors.As(err, &locked) {
			os.RemoveAll(dir) // a run without its network would be trained from its beginning
		}
	}()
	writer, err := runs.Create(dir, recipe)
	if err != nil {
		return err
	}
	defer writer.Close()
	c := checkpoints{dir: writer.CheckpointDir()}
	if len(writer.Rows()) > 0 || c.find(Last) != "" {
		return fmt.Errorf("the run %s exists already: choose another name", dir)
	}
	return c.save(m, position{})
}
