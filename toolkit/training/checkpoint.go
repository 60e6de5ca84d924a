package training

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/resnet"
	"stochdepth/toolkit/runs"
)

// The checkpoints of a run: the newest, and that of the epoch with the lowest validation error.
const (
	Last = "last"
	Best = "best"
)

// position is what a checkpoint holds besides the variables: where the run is, and what the row in
// progress has gathered. Random streams need no state: they follow from seed and step.
type position struct {
	Step    int64             `json:"step"`
	Seconds float64           `json:"seconds"` // of training so far
	Row     gathered          `json:"row"`
	Files   map[string]string `json:"files"` // SHA-256 of GoMLX's files

	Normalization dataset.Normalization `json:"normalization"`
}

const positionFile = "position.json"

// checkpoints saves and restores a model in a run's checkpoint folder, in GoMLX's format. A
// checkpoint is a folder that is written whole under another name and then renamed.
type checkpoints struct {
	dir     string
	handler *checkpoint.Handler // saves to a folder of its own, emptied by each save
}

func (c *checkpoints) path(name string) string { return filepath.Join(c.dir, name) }

// save makes the model and position the newest checkpoint. After an error the one before is intact.
func (c *checkpoints) save(m *Model, p position) (err error) {
	work := c.path("work")
	p.Normalization = m.Normalization
	defer func() {
		if err != nil {
			os.RemoveAll(work)
			err = runs.WriteError(c.path(Last), err)
		}
	}()
	if c.handler == nil {
		if err := os.RemoveAll(work); err != nil {
			return err
		}
		c.handler, err = checkpoint.Build(m.Store).Dir(work).WithCompression(checkpoint.BinUncompressed).ExcludeAllParams().Done()
		if err != nil {
			return err
		}
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	if err := c.handler.Save(); err != nil {
		return err
	}
	if p.Files, err = hashAndSync(work); err != nil {
		return err
	}
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := runs.WriteFileAtomic(filepath.Join(work, positionFile), append(data, '\n')); err != nil {
		return err
	}
	return c.replace(Last, work)
}

// keepBest makes the newest checkpoint also that of the best epoch. The files are shared, not copied.
func (c *checkpoints) keepBest() error {
	work := c.path("work-best")
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return runs.WriteError(work, err)
	}
	files, err := os.ReadDir(c.path(Last))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Link(filepath.Join(c.path(Last), file.Name()), filepath.Join(work, file.Name())); err != nil {
			return runs.WriteError(work, err)
		}
	}
	return c.replace(Best, work)
}

// replace puts the folder work in the place of a checkpoint. A crash in between leaves the old one
// beside it, where find looks too.
func (c *checkpoints) replace(name, work string) error {
	old := c.path(name + ".old")
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(c.path(name), old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(work, c.path(name)); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// find returns the folder of a checkpoint, or "" if there is none.
func (c *checkpoints) find(name string) string {
	for _, dir := range []string{c.path(name), c.path(name + ".old")} {
		if _, err := os.Stat(filepath.Join(dir, positionFile)); err == nil {
			return dir
		}
	}
	return ""
}

// restore loads a checkpoint into the model, after checking its files. Without one it reports false.
func (c *checkpoints) restore(m *Model, name string) (p position, found bool, err error) {
	dir := c.find(name)
	if dir == "" {
		return position{}, false, nil
	}
	if p, err = readPosition(dir); err == nil {
		err = load(m.Store, dir)
	}
	if err != nil {
		return position{}, false, fmt.Errorf("the checkpoint %s is damaged (%w): delete this folder to go on from %s, the rows after it are then made again",
			dir, err, c.alternative(name))
	}
	if len(p.Normalization.Mean) > 0 { // an imported network may have been trained on other images
		m.Normalization = p.Normalization
	}
	return p, true, nil
}

// alternative says what a run goes on from when a checkpoint is deleted.
func (c *checkpoints) alternative(name string) string {
	if name == Last {
		if dir := c.find(Best); dir != "" {
			if p, err := readPosition(dir); err == nil {
				return fmt.Sprintf("the checkpoint of the best epoch (step %d)", p.Step)
			}
		}
	}
	return "the beginning"
}

// readPosition reads a checkpoint's position and checks that its files are what was written.
func readPosition(dir string) (p position, err error) {
	data, err := os.ReadFile(filepath.Join(dir, positionFile))
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("%s does not parse", positionFile)
	}
	for name, sum := range p.Files {
		if have, err := hash(filepath.Join(dir, filepath.Base(name))); err != nil || have != sum {
			return p, fmt.Errorf("%s is missing, cut or altered", name)
		}
	}
	return p, nil
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
	for key, value := range loaded {
		path := strings.TrimPrefix(key, "var:")
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

// hashAndSync flushes the files of a folder to disk and returns their SHA-256.
func hashAndSync(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	sums := make(map[string]string)
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		err = file.Sync()
		file.Close()
		if err != nil {
			return nil, err
		}
		if sums[entry.Name()], err = hash(path); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

func hash(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
