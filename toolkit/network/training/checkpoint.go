package training

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/resnet"
)

// The checkpoints of a run: the newest, and that of the epoch with the lowest validation error.
const (
	Last = "last"
	Best = "best"
)

// checkpoints saves and restores a model in a run's checkpoint folder, in GoMLX's format. A
// checkpoint is a folder that is written whole under another name and then renamed.
type checkpoints struct {
	dir     string
	handler *checkpoint.Handler // saves to a folder of its own, emptied by each save
}

func (c *checkpoints) path(name string) string { return filepath.Join(c.dir, name) }

// save makes the model and position the newest checkpoint. After an error the one before is intact.
func (c *checkpoints) save(m *network.Model, p position) error {
	if err := c.prepare(m, p, false); err != nil {
		return err
	}
	return c.publish(false)
}

// The folders in which checkpoints are prepared.
const (
	work     = "work"
	workBest = "work-best"
)

// prepare writes a checkpoint whole, and flushes it to disk, under another name; best says that it will also be that of
// the best epoch. After an error nothing is left of it.
func (c *checkpoints) prepare(m *network.Model, p position, best bool) (err error) {
	work := c.path(work)
	p.Normalization = m.Normalization
	defer func() {
		if err != nil {
			c.discard()
			err = files.WriteError(c.path(Last), err)
		}
	}()
	if c.handler == nil {
		if err := disk.RemoveAll(work); err != nil {
			return err
		}
	}
	if err := disk.MkdirAll(work); err != nil { // before GoMLX does, whose folders others may not read
		return err
	}
	if c.handler == nil {
		c.handler, err = checkpoint.Build(m.Store).Dir(work).WithCompression(checkpoint.BinUncompressed).ExcludeAllParams().Done()
		if err != nil {
			return err
		}
	}
	if err := disk.Change("save", work, c.handler.Save); err != nil {
		return err
	}
	if p.Files, err = hashAndSync(work); err != nil {
		return err
	}
	data, err := p.encode()
	if err != nil {
		return err
	}
	if err := files.Write(filepath.Join(work, positionFile), data); err != nil {
		return err
	}
	if best {
		return c.share(work)
	}
	return nil
}

// discard removes what was prepared.
func (c *checkpoints) discard() {
	disk.RemoveAll(c.path(work))
	disk.RemoveAll(c.path(workBest))
}

// share prepares the best checkpoint from another. The files are shared, not copied, if the file system can.
func (c *checkpoints) share(dir string) error {
	work := c.path(workBest)
	if err := disk.RemoveAll(work); err != nil {
		return err
	}
	if err := disk.MkdirAll(work); err != nil {
		return err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := disk.LinkOrCopy(filepath.Join(dir, file.Name()), filepath.Join(work, file.Name())); err != nil {
			return err
		}
	}
	disk.Sync(work)
	return nil
}

// publish puts what was prepared in the place of the newest checkpoint and then, if it is that of the best epoch, of
// the best one.
func (c *checkpoints) publish(best bool) error {
	if err := c.replace(Last, c.path(work)); err != nil {
		return files.WriteError(c.path(Last), err)
	}
	if best {
		return files.WriteError(c.path(Best), c.replace(Best, c.path(workBest)))
	}
	return nil
}

// keepBest makes the newest checkpoint also that of the best epoch.
func (c *checkpoints) keepBest() error {
	if err := c.share(c.path(Last)); err != nil {
		return files.WriteError(c.path(Best), err)
	}
	return files.WriteError(c.path(Best), c.replace(Best, c.path(workBest)))
}

// replace puts the folder work in the place of a checkpoint. At any time the old one or the new one is there, under its
// name or, between the renames, the old one beside it, where find looks too.
func (c *checkpoints) replace(name, work string) error {
	path, old := c.path(name), c.path(name+oldSuffix)
	whole, err := isCheckpoint(path)
	switch {
	case err != nil:
		return err
	case whole:
		if err := disk.RemoveAll(old); err != nil {
			return err
		}
		if err := disk.Rename(path, old); err != nil {
			return err
		}
	default: // the old one may be the only one
		if err := disk.RemoveAll(path); err != nil {
			return err
		}
	}
	if err := disk.Rename(work, path); err != nil {
		return err
	}
	disk.Sync(c.dir)
	return disk.RemoveAll(old)
}

// tidy removes what a crash left: checkpoints in preparation, and old ones beside their successors. An old one whose
// successor did not arrive gets its name back.
func (c *checkpoints) tidy() error {
	c.discard()
	for _, name := range []string{Last, Best} {
		path, old := c.path(name), c.path(name+oldSuffix)
		if dir, err := c.find(name); err != nil {
			return err
		} else if dir == old {
			if err := disk.RemoveAll(path); err != nil {
				return files.WriteError(path, err)
			}
			if err := disk.Rename(old, path); err != nil {
				return files.WriteError(path, err)
			}
		}
		if err := disk.RemoveAll(old); err != nil {
			return files.WriteError(old, err)
		}
	}
	return nil
}

// oldSuffix marks a checkpoint that is being replaced.
const oldSuffix = ".old"

// isCheckpoint reports whether a folder holds a checkpoint. That it cannot be read is an error.
func isCheckpoint(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, positionFile))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, unreadable(dir, err)
}

// unreadable says that a checkpoint may be whole, but cannot be read.
func unreadable(dir string, err error) error {
	var reason *fs.PathError
	if errors.As(err, &reason) {
		err = reason.Err
	}
	return fmt.Errorf("%w %s (%w): make it readable and start the same command again", errUnreadable, dir, err)
}

var errUnreadable = errors.New("cannot read the checkpoint")

// find returns the folder of a checkpoint, or "" if there is none.
func (c *checkpoints) find(name string) (string, error) {
	for _, dir := range []string{c.path(name), c.path(name + oldSuffix)} {
		if found, err := isCheckpoint(dir); err != nil || found {
			return dir, err
		}
	}
	return "", nil
}

// read returns a checkpoint's folder and position, after checking all of its files; "" if there is none.
func (c *checkpoints) read(name string) (dir string, p position, err error) {
	if dir, err = c.find(name); err != nil || dir == "" {
		return "", position{}, err
	}
	p, err = readPosition(dir)
	return dir, p, err
}

// restore loads the checkpoint in a folder into the model.
func (c *checkpoints) restore(m *network.Model, dir string, p position) error {
	if err := load(m.Store, dir); err != nil {
		return fmt.Errorf("the checkpoint %s is %w (%w): restore this folder from a copy, or train anew under another run name", dir, errDamaged, err)
	}
	if len(p.Normalization.Mean) > 0 { // an imported network may have been trained on other images
		m.Normalization = p.Normalization
	}
	return nil
}

// load reads the variables of a checkpoint. Those the store has must be there in the same shape; the
// optimizer's are new to a fresh store.
func load(store *model.Store, dir string) error {
	// A store of its own: a handler stays with its store as a loader of missing variables.
	handler, err := checkpoint.Load(model.NewStore()).Dir(dir).ExcludeAllParams().Done()
	if err != nil {
		return err
	}
	loaded := handler.LoadedVariables()
	for v := range store.IterVariables() {
		if _, ok := loaded["var:"+v.Path()]; !ok && v.Name() != resnet.SurvivalVariable { // older ones left it to the recipe
			return fmt.Errorf("it has no %s", v.Path())
		}
	}
	for _, key := range slices.Sorted(maps.Keys(loaded)) { // in one order, so that the step's program is found compiled
		path, value := strings.TrimPrefix(key, "var:"), loaded[key]
		v := store.GetVariable(path)
		if v == nil {
			if v, err = store.CreateVariable(path, value); err != nil {
				return err
			}
			v.SetTrainable(false)
			continue
		}
		if !v.Shape().Equal(value.Shape()) {
			return fmt.Errorf("its %s is %s, the network's is %s", path, value.Shape(), v.Shape())
		}
		if err := v.SetValue(value); err != nil {
			return err
		}
	}
	return nil
}
