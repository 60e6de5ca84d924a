package training

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/gomlx/compute"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
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
// at step 0, has the file's weights, to be evaluated or trained on. A recipe that the network in the file cannot be of,
// or that would validate it on its own training images, is an error. The notes, a clause each, say what is to be known of
// the file and the run. After an error there is no new folder.
func ImportRun(b compute.Backend, path, dir string, recipe recipes.Recipe, data *dataset.Data) (notes []string, err error) {
	file, err := readNetwork(path)
	if err != nil {
		return nil, err
	}
	if file.recipe == nil {
		notes = append(notes, "it does not say which images it was trained on: the validation images may be among them")
	} else if notes, err = agree(path, *file.recipe, recipe); err != nil {
		return nil, err
	}
	m, err := NewModel(b, recipe, len(data.Classes), Fit(recipe, data.Train))
	if err != nil {
		return nil, err
	}
	if err := m.take(file); err != nil {
		return nil, err
	}
	notes = append(notes, m.Notes...)
	return notes, m.begin(dir)
}

// begin makes the model the network of a new run, at step 0.
func (m *Model) begin(dir string) (err error) {
	_, err = os.Lstat(dir)
	fresh := errors.Is(err, fs.ErrNotExist)
	defer func() {
		if locked := (runs.ErrLocked{}); err != nil && fresh && !errors.As(err, &locked) {
			os.RemoveAll(dir) // a run without its network would be trained from its beginning
		}
	}()
	writer, err := runs.Create(dir, m.Recipe)
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

// Opened is a trained network from a file, with the data of its recipe.
type Opened struct {
	*Model
	Data *dataset.Data
	Info models.Info // what the file says of the network: run, epoch, errors, commit
}

// OpenNetwork opens a network that [Model.Export] wrote, to be evaluated and explored: the file's normalisation and
// survival probabilities are in force, and the data are those of its recipe, split as they were.
// dataRoot is as in [LoadData]: "" for data/cache. A missing or damaged file, one without a recipe, one whose tensors
// are not those of its recipe, and data that are not there are errors that say what to do.
func OpenNetwork(b compute.Backend, path, dataRoot string) (*Opened, error) {
	info, err := models.Read(path)
	if err != nil {
		return nil, err
	}
	data, err := LoadData(info.Recipe, dataRoot)
	if err != nil {
		return nil, err
	}
	m, err := openModel(b, info)
	if err != nil {
		return nil, err
	}
	if m.Network.Classes != len(data.Classes) {
		return nil, fmt.Errorf("the network in %s has %d classes, but %s has %d: it is not of its recipe, export it again",
			path, m.Network.Classes, data.Name, len(data.Classes))
	}
	if len(m.Normalization.Mean) == 0 {
		m.Normalization = Fit(info.Recipe, data.Train)
	}
	return &Opened{m, data, info}, nil
}

// Untrained returns the same network with the weights from before its training, which follow from the recipe's seed.
func (o *Opened) Untrained() (*Model, error) {
	return NewModel(o.backend, o.Recipe, o.Network.Classes, o.Normalization)
}

// openModel makes the model of a file, which needs no data: the number of classes and the normalisation are the file's.
// A file without a normalisation leaves the model's empty.
func openModel(b compute.Backend, info models.Info) (*Model, error) {
	file, err := readNetwork(info.Path)
	if err != nil {
		return nil, err
	}
	length := func(name string, allowed ...int) int {
		if shape := file.tensors[name].Shape; len(shape) == 1 && (len(allowed) == 0 || slices.Contains(allowed, shape[0])) {
			return shape[0]
		}
		return 0
	}
	classes := length("fc.bias")
	if classes == 0 {
		return nil, fmt.Errorf("%s has no tensor fc.bias, so it is no network of this project: export it again", info.Path)
	}
	m, err := NewModel(b, info.Recipe, classes, dataset.Normalization{
		Mean:      make([]float32, length(meanName, dataset.Channels, dataset.ImageBytes)),
		Deviation: make([]float32, length(deviationName, dataset.Channels, 1)),
	})
	if err != nil {
		return nil, fmt.Errorf("the recipe in %s: %w", info.Path, err)
	}
	return m, m.take(file)
}
