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
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/resnet"
)

// The checkpoints of a run: the newest, and the one of the epoch with the lowest validation error.
const (
	Last = "last"
	Best = "best"
)

// checkpoints saves and restores a model in a run's checkpoint folder, in GoMLX's format. A checkpoint is a folder that is
// written completely under another name and then renamed.
type checkpoints struct {
	dir     string
	handler *checkpoint.Handler // saves to a folder of its own, emptied by each save
}

func (c *checkpoints) path(name string) string { return filepath.Join(c.dir, name) }

// save makes the model and position the newest checkpoint. After an error the previous checkpoint is intact.
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

// prepare writes a complete checkpoint under another name and flushes it to disk; best says that it will also be the
// checkpoint of the best epoch. After an error nothing is left of it.
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
	if err := disk.MkdirAll(work); err != nil { // before GoMLX makes it, since other users may not read GoMLX's folders
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
	if err := complete(work, m.Store); err != nil {
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

// complete is an error if the file of the variables' values in a saved checkpoint is too short: GoMLX does not report a write
// that fails, such as one beyond a limit on the size of files.
func complete(dir string, store *model.Store) error {
	var want int64
	for v := range store.IterVariables() {
		want += v.Shape().ByteSize()
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*"+checkpoint.BinDataSuffix))
	if err != nil {
		return err
	}
	var size int64
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		size += info.Size()
	}
	if size < want {
		return fmt.Errorf("only %s of %s bytes could be written: make room, or lift the limit on the size of files (ulimit -f), "+
			"and start the same command again", say.Grouped(size), say.Grouped(want))
	}
	return nil
}

// discard removes prepared checkpoints.
func (c *checkpoints) discard() {
	disk.RemoveAll(c.path(work))
	disk.RemoveAll(c.path(workBest))
}

// share prepares the best checkpoint from the one in dir. The files are shared, not copied, if the file system can do that.
func (c *checkpoints) share(dir string) error {
	work := c.path(workBest)
	if err := disk.RemoveAll(work); err != nil {
		return err
	}
	if err := disk.MkdirAll(work); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := disk.LinkOrCopy(filepath.Join(dir, entry.Name()), filepath.Join(work, entry.Name())); err != nil {
			return err
		}
	}
	disk.Sync(work)
	return nil
}

// publish puts the prepared checkpoint in the place of the newest one and then, if it belongs to the best epoch, also in
// the place of the best one.
func (c *checkpoints) publish(best bool) error {
	if err := c.replace(Last, c.path(work)); err != nil {
		return files.WriteError(c.path(Last), err)
	}
	if best {
		return files.WriteError(c.path(Best), c.replace(Best, c.path(workBest)))
	}
	return nil
}

// keepBest makes the newest checkpoint also the one of the best epoch.
func (c *checkpoints) keepBest() error {
	err := c.share(c.path(Last))
	if err == nil {
		err = c.replace(Best, c.path(workBest))
	}
	return files.WriteError(c.path(Best), err)
}

// replace puts the folder work in the place of a checkpoint. At any time the old or the new checkpoint is there under its
// name, except between the two renames: then find takes the old one by its other name.
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
	default: // keep old: it may be the only checkpoint
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

// tidy removes what a crash left: prepared checkpoints, and old ones beside their successors. An old one without a
// successor gets its name back.
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

// isCheckpoint reports whether a folder has a checkpoint. If this cannot be read, that is an error.
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

// unreadable is the error for a checkpoint that may be intact, but cannot be read.
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
		return fmt.Errorf("the checkpoint %s is %w (%w): restore this folder from a copy, or train again under another run name",
			dir, errDamaged, err)
	}
	if len(p.Normalization.Mean) > 0 { // an imported network may have been trained on other images
		m.Normalization = p.Normalization
	}
	return nil
}

// load reads the variables of a checkpoint. The checkpoint must have all variables of the store, in the same shapes; those
// of the optimizer may be missing from a new store and are then created.
func load(store *model.Store, dir string) error {
	// A separate store, because a handler keeps loading its store's missing variables.
	handler, err := checkpoint.Load(model.NewStore()).Dir(dir).ExcludeAllParams().Done()
	if err != nil {
		return err
	}
	loaded := handler.LoadedVariables()
	for v := range store.IterVariables() {
		if _, ok := loaded["var:"+v.Path()]; !ok && v.Name() != resnet.SurvivalVariable { // older checkpoints leave it to the recipe
			return fmt.Errorf("it has no %s", v.Path())
		}
	}
	// In sorted order, so that the step's program is always the same and is found compiled.
	for _, key := range slices.Sorted(maps.Keys(loaded)) {
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
