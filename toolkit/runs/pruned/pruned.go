// Package pruned keeps what removing blocks from trained networks gave: the errors of a network by the blocks that are left.
// The records in data/pruned are each of one network and one order in which its blocks went.
package pruned

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Extension ends the names of the records: a line of JSON for the network, and one for each state.
const Extension = ".jsonl"

// Record is what one network became by losing one block after the other.
type Record struct {
	Network    string         `json:"network"` // the run's name, or the file's
	Recipe     recipes.Recipe `json:"recipe"`
	Order      string         `json:"order"`             // in which blocks went: see analysis.PruneOrders
	Choose     int            `json:"choose,omitempty"`  // validation images on which the order greedy compared
	Validation int            `json:"validation_images"` // on which the errors are
	Test       int            `json:"test_images"`
	Trained    string         `json:"trained,omitempty"` // the commit that trained the network
	Commit     string         `json:"commit"`            // that removed the blocks
	Machine    string         `json:"machine"`           // on which it did
	States     []State        `json:"-"`                 // the whole network first, the smallest last
}

// State is a network with some of its blocks removed. Its errors are in percent.
type State struct {
	Kept            []int   `json:"kept"`             // blocks that are left, counted from 1
	MultiplyAdds    int64   `json:"multiply_adds"`    // forward, for one image; 0: not known
	ValidationError float64 `json:"validation_error"` // with averages of batch normalisation that were measured again
	TestError       float64 `json:"test_error"`       // the same
	AsTrained       float64 `json:"as_trained"`       // on test images, with the averages of the whole network's training
}

// Save writes a record, and makes its folder if that is missing.
func (r *Record) Save(path string) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(r)
	for _, state := range r.States {
		err = errors.Join(err, encoder.Encode(state))
	}
	if err != nil {
		return err
	}
	return files.Make(path, text.Bytes())
}

// Read reads a record and checks it.
func Read(path string) (*Record, error) {
	data, err := files.ReadText(path, files.LargestText)
	if err != nil {
		return nil, err
	}
	r, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s is no whole record of a pruned network (%w): make it again with stochdepth prune --record", path, err)
	}
	return r, nil
}

func parse(data []byte) (*Record, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	r := new(Record)
	if err := decoder.Decode(r); err != nil {
		return nil, err
	}
	for {
		var state State
		err := decoder.Decode(&state)
		if err == io.EOF {
			return r, r.check()
		}
		if err != nil {
			return nil, err
		}
		r.States = append(r.States, state)
	}
}

func (r *Record) check() error {
	if r.Network == "" || len(r.States) == 0 {
		return errors.New("it has no network")
	}
	if r.Recipe.Validate() == nil { // it may name what only the program that made the record has
		if _, blocks := r.Recipe.ExpectedOpen(); len(r.States[0].Kept) != blocks {
			return fmt.Errorf("its first state has %d blocks, the network %d", len(r.States[0].Kept), blocks)
		}
	}
	for i, s := range r.States {
		for _, percent := range []float64{s.ValidationError, s.TestError, s.AsTrained} {
			if !(percent >= 0 && percent <= 100) {
				return fmt.Errorf("an error is %v %%", percent)
			}
		}
		if len(s.Kept) == 0 || !slices.IsSorted(s.Kept) || len(slices.Compact(slices.Clone(s.Kept))) < len(s.Kept) || s.MultiplyAdds < 0 ||
			i > 0 && len(s.Kept) >= len(r.States[i-1].Kept) {
			return fmt.Errorf("state %d keeps the blocks %v", i+1, s.Kept)
		}
		for _, l := range s.Kept {
			if !slices.Contains(r.States[0].Kept, l) {
				return fmt.Errorf("state %d keeps block %d, which the network does not have", i+1, l)
			}
		}
	}
	return nil
}

// At returns the place in States of the one with this number of blocks left.
func (r *Record) At(blocks int) (int, error) {
	at := slices.IndexFunc(r.States, func(s State) bool { return len(s.Kept) == blocks })
	if at < 0 {
		return at, fmt.Errorf("%s has no state with %d blocks: take %d to %d", r.Network, blocks, len(r.States[len(r.States)-1].Kept),
			len(r.States[0].Kept))
	}
	return at, nil
}

// With returns the state with this number of blocks left.
func (r *Record) With(blocks int) (State, error) {
	at, err := r.At(blocks)
	if err != nil {
		return State{}, err
	}
	return r.States[at], nil
}

// Find reads the records below a folder whose names, without [Extension], a pattern matches (see [runs.Matches]), in the order
// of their names. None is an error.
func Find(folder, pattern string) (list []*Record, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		name, is := strings.CutSuffix(path, Extension)
		if err != nil || entry.IsDir() || !is {
			return err
		}
		name, err = filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		if matches, err := runs.Matches(pattern, filepath.ToSlash(name)); err != nil || !matches {
			return err
		}
		record, err := Read(path)
		list = append(list, record)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(list) == 0:
		return nil, fmt.Errorf("there is no record %s in %s: make one with stochdepth prune --record", pattern, folder)
	case err != nil:
		return nil, err
	}
	return list, nil
}
