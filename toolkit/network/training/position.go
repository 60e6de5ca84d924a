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

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/runs"
)

// position is what a checkpoint holds besides the variables: where the run is, and the sums for the row in progress. Random
// streams need no state: they follow from seed and step.
type position struct {
	Step    int64             `json:"step"`
	Seconds float64           `json:"seconds"` // of training so far
	Row     gathered          `json:"row"`
	Files   map[string]string `json:"files"` // SHA-256 of GoMLX's files

	Normalization dataset.Normalization `json:"normalization"`

	Sessions []runs.Session `json:"sessions,omitempty"` // that made the steps so far, the newest last; empty in older checkpoints

	Sum string `json:"sum,omitempty"` // SHA-256 of the position without it; "" in older checkpoints
}

// lastRow is the step of the last row before the position. A row of the position's own step may follow, if the run was
// stopped during its evaluation.
func (p position) lastRow() int64 { return p.Step - p.Row.Steps }

const positionFile = "position.json"

// encode returns the position as text, with its sum.
func (p position) encode() ([]byte, error) {
	p.Sum = ""
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	p.Sum = fmt.Sprintf("%x", sha256.Sum256(data))
	data, err = json.MarshalIndent(p, "", "  ")
	return append(data, '\n'), err
}

// readPosition reads a checkpoint's position and checks that it and the files are unchanged since they were written.
func readPosition(dir string) (p position, err error) {
	data, err := os.ReadFile(filepath.Join(dir, positionFile))
	if err != nil {
		return p, unreadable(dir, err)
	}
	damaged := func(what string) error { return fmt.Errorf("%w, its %s", errDamaged, what) }
	if err := json.Unmarshal(data, &p); err != nil {
		return p, damaged(positionFile + " does not parse")
	}
	if p.Sum != "" {
		if again, err := p.encode(); err != nil || string(again) != string(data) {
			return p, damaged(positionFile + " is altered")
		}
	}
	g := p.Row
	if p.Step < 0 || g.Steps < 0 || g.Steps > p.Step || (g.Images > 0) != (g.Steps > 0) || g.Images < 0 || !(p.Seconds >= 0) {
		return p, damaged(fmt.Sprintf("%s names step %d and %d steps of %d images since the last row",
			positionFile, p.Step, g.Steps, g.Images))
	}
	if len(p.Files) == 0 {
		return p, damaged(positionFile + " names no files")
	}
	for name, sum := range p.Files {
		have, err := hash(filepath.Join(dir, filepath.Base(name)))
		switch {
		case errors.Is(err, fs.ErrPermission):
			return p, unreadable(dir, err)
		case err != nil || have != sum:
			return p, damaged(name + " is missing, cut or altered")
		}
	}
	return p, nil
}

// errDamaged is wrapped by read's error for a damaged checkpoint.
var errDamaged = errors.New("damaged")

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
