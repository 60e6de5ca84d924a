package training

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"

	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Restore opens the network of a run with the weights of one of its checkpoints, [Best] or [Last]. Best is the checkpoint of
// the best row of the log, or an error; in a run without rows it is the last checkpoint. With the recipe's ema the weights are the
// averages that were evaluated. dataRoot is as in [network.Open].
func Restore(b compute.Backend, run *runs.Run, checkpoint, dataRoot string) (*network.Opened, error) {
	if checkpoint != Best && checkpoint != Last {
		return nil, fmt.Errorf("there is no checkpoint %q: use %s or %s", checkpoint, Best, Last)
	}
	net, err := network.Open(b, run.Recipe, dataRoot)
	if err != nil {
		return nil, err
	}
	pictures, err := run.Pictures()
	if err != nil {
		return nil, err
	}
	if err := net.ComparePictures(pictures); err != nil {
		return nil, fmt.Errorf("the run %s %w", run.Name, err)
	}
	c := checkpoints{dir: run.CheckpointDir()}
	for patience := 20; ; patience-- {
		dir, p, err := c.choose(run, checkpoint)
		if err == nil {
			err = c.restore(net.Model, dir, p)
		}
		if err == nil {
			err = net.TakeAverages()
		}
		if err == nil {
			net.Info = models.OfRun(run, p.Step, net.Data.Train.Len())
			net.Info.Pictures = pictures
			return net, nil
		}
		if patience == 0 || run.Status() != "running" {
			return nil, err
		}
		time.Sleep(100 * time.Millisecond) // its writer may be replacing the checkpoint right now
		if now, err := runs.Open(run.Dir); err == nil {
			run = now
		}
	}
}

// choose finds the checkpoint that Restore should read.
func (c *checkpoints) choose(run *runs.Run, name string) (dir string, p position, err error) {
	best, found := run.Best()
	if name == Best && found {
		for _, name := range []string{Best, Last} { // the newest may not be kept as the best one yet
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
		return "", p, fmt.Errorf("the run %s has no checkpoint here (checkpoints are not kept in git): "+
			"train it with `stochdepth train`, or import its weights", run.Name)
	case name == Best && found && last != "" && newest.Step < best.Step && err == nil:
		return "", p, fmt.Errorf("the checkpoint of the best epoch (step %d) of the run %s is not written: "+
			"start its training again to make it, or use `--checkpoint last`", best.Step, run.Name)
	case name == Best && found:
		return "", p, c.explainBest(bestDir, bestAt, bestErr, run.Rows)
	case name == Best && bestDir != "" && bestErr == nil:
		return "", p, fmt.Errorf("the run %s has a checkpoint of its best epoch (step %d) but no log: "+
			"restore epochs.tsv from a copy, or use `--checkpoint last`", run.Name, bestAt.Step)
	case err != nil:
		return "", p, c.explain(Last, last, run.Rows, err)
	case last == "":
		return "", p, fmt.Errorf("the run %s has lost its newest checkpoint: "+
			"start its training again to make it, or use `--checkpoint best`", run.Name)
	}
	return last, newest, nil
}

// ImportRun makes a run in a new folder from a safetensors file (see [network.Model.Export]): its checkpoint, at step 0, has
// the file's weights, to be evaluated or trained further. A recipe that does not fit the network in the file, or that would
// validate it on its own training images, is an error. The notes, a clause each, say what the user should know about the
// file and the run. After an error there is no new folder.
func ImportRun(b compute.Backend, path, dir string, recipe recipes.Checker, dataRoot string) (notes []string, err error) {
	checked, err := recipe.Check()
	if err != nil {
		return nil, err
	}
	weights, err := network.ReadWeights(path, network.Reading{})
	if err != nil {
		return nil, err
	}
	return Begin(b, weights, dir, checked, dataRoot)
}

// Begin is [ImportRun] with weights that were read, which it uses up.
func Begin(b compute.Backend, weights *network.Weights, dir string, recipe recipes.Checker, dataRoot string) (notes []string, err error) {
	checked, err := recipe.Check()
	if err != nil {
		return nil, err
	}
	net, err := network.OpenWith(b, weights, checked, dataRoot)
	if err != nil {
		return nil, err
	}
	return net.Notes, begin(net, dir, checked)
}

// Begun reports whether the run in a folder has a checkpoint, so that it needs nothing else to go on.
func Begun(dir string) bool {
	run, err := runs.Open(dir)
	if err != nil {
		return false
	}
	c := checkpoints{dir: run.CheckpointDir()}
	for _, name := range []string{Last, Best} {
		if found, err := c.find(name); err == nil && found != "" {
			return true
		}
	}
	return false
}

// Weights returns those of a run's checkpoint, and its step, without the run's data.
func Weights(b compute.Backend, run *runs.Run, checkpointName string) (_ *network.Weights, step int64, err error) {
	c := checkpoints{dir: run.CheckpointDir()}
	dir, p, err := c.choose(run, checkpointName)
	if err != nil {
		return nil, 0, err
	}
	handler, err := checkpoint.Load(model.NewStore()).Dir(dir).ExcludeAllParams().Done()
	if err != nil {
		return nil, 0, err
	}
	bias := handler.LoadedVariables()["var:"+model.JoinPath(model.ScopeSeparator+residual.Scope, "linear", "bias")]
	if bias == nil || len(p.Normalization.Mean) == 0 {
		return nil, 0, fmt.Errorf("the checkpoint %s says too little of its network: `stochdepth export %s` makes a file to begin with",
			dir, run.Name)
	}
	m, err := network.NewModel(b, run.Recipe, network.Input{Format: run.Recipe.Stored(), Classes: bias.Shape().Size(),
		Normalization: p.Normalization})
	if err != nil {
		return nil, 0, err
	}
	if err := c.restore(m, dir, p); err != nil {
		return nil, 0, err
	}
	if err := m.TakeAverages(); err != nil {
		return nil, 0, err
	}
	w, err := m.Weights("run " + run.Name)
	return w, p.Step, err
}

// begin makes a new run whose network, at step 0, is net.
func begin(net *network.Opened, dir string, recipe recipes.Checked) (err error) {
	_, err = os.Lstat(dir)
	fresh := errors.Is(err, fs.ErrNotExist)
	defer func() {
		if locked := (runs.ErrLocked{}); err != nil && fresh && !errors.As(err, &locked) {
			os.RemoveAll(dir) // without the network the run would be trained from initial weights
		}
	}()
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
	if err := writer.KeepPictures(net.Data.Contents); err != nil {
		return err
	}
	return c.save(net.Model, position{})
}
