// Package gallery lists every figure and table of the project: what each shows, which of the paper's numbers, recorded
// runs or measurements it is drawn from, and how. The command line, figures/README.md and notebooks use this one list.
//
// Everything comes from the data folder: published.json (the paper's numbers), runs/ and bench/ (this project's
// records), and figures.json, which says for each figure which of the records it shows. To draw a figure from other or
// more runs, edit that file.
package gallery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/outcome/published"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/pruned"
)

// Choice says what one figure of ours is drawn from.
type Choice struct {
	Runs   []string `json:"runs,omitempty"`   // names below data/runs, or patterns with asterisks: see runs.Matches
	Bench  string   `json:"bench,omitempty"`  // a record of data/bench, without .json
	Pruned []string `json:"pruned,omitempty"` // records of data/pruned, without their extension, or patterns
	Note   string   `json:"note,omitempty"`   // a sentence for the caption, about these records
}

// Sources is the content of the data folder, as far as figures need it.
type Sources struct {
	Folder string
	Paper  *published.Paper
	Choice map[string]Choice // figures.json, by figure

	// Published draws the paper's values beside those of the runs, in the figures of runs that can show both.
	Published bool
}

// Read reads a data folder's published.json and figures.json. Runs and measurements are read when a figure asks for
// them, so that a broken one spoils its own figures only.
func Read(folder string) (*Sources, error) {
	paper, err := published.Read(filepath.Join(folder, "published.json"))
	if err != nil {
		return nil, err
	}
	s := &Sources{Folder: folder, Paper: paper}
	file := filepath.Join(folder, "figures.json")
	data, err := files.ReadText(file, files.LargestText)
	if err != nil {
		return nil, fmt.Errorf("cannot read which runs each figure shows: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s.Choice); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): restore the file", file, err)
	}
	for name := range s.Choice {
		if _, err := Find(name); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return s, nil
}

// Runs opens the runs of these names below data/runs, in the order given. A name may have asterisks, and may also be the
// path of a run folder. Asterisks leave out runs that are not finished, such as those of a sweep that is under way. Runs
// that are missing, damaged, diverged, or named without asterisks and incomplete, are an error.
func (s *Sources) Runs(names []string) ([]*runs.Run, error) {
	chosen, _, err := s.open(names)
	return chosen, err
}

// Pruned reads the records of pruned networks of these names below data/pruned, which may have asterisks.
func (s *Sources) Pruned(names []string) (list []*pruned.Record, err error) {
	for _, name := range names {
		found, err := pruned.Find(filepath.Join(s.Folder, "pruned"), name)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

// open is Runs, and also returns the runs left out.
func (s *Sources) open(names []string) (chosen, unfinished []*runs.Run, err error) {
	root := filepath.Join(s.Folder, "runs")
	for _, name := range names {
		folders, err := matching(root, name)
		if err != nil {
			return nil, nil, err
		}
		for _, folder := range folders {
			same := func(r *runs.Run) bool { return r.Dir == folder.dir }
			if slices.ContainsFunc(chosen, same) {
				continue
			}
			run, err := runs.Find(root, folder.name)
			if err != nil {
				return nil, nil, err
			}
			switch err := complete(run); {
			case err == nil:
				chosen = append(chosen, run)
			case !folder.byPattern || ended(run):
				return nil, nil, err
			case !slices.ContainsFunc(unfinished, same):
				unfinished = append(unfinished, run)
			}
		}
	}
	if len(chosen) == 0 && len(unfinished) > 0 {
		return nil, nil, absent{complete(unfinished[0]).Error()}
	}
	return chosen, unfinished, nil
}

// folder is where a run is, and its name or path.
type folder struct {
	dir, name string
	byPattern bool // chosen by asterisks
}

// matching returns the folder of the run with this name below root, or else with this path, or the folders that asterisks
// choose.
func matching(root, name string) ([]folder, error) {
	if !strings.Contains(name, "*") {
		dir, _ := runs.Locate(root, name)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, absent{fmt.Sprintf("there is no run %s in %s: train it, or name another", name, root)}
		}
		return []folder{{dir: dir, name: name}}, nil
	}
	var list []folder
	for _, found := range runs.Names(root) {
		if ok, err := runs.Matches(name, found); err != nil {
			return nil, err
		} else if ok {
			list = append(list, folder{dir: filepath.Join(root, filepath.FromSlash(found)), name: found, byPattern: true})
		}
	}
	if len(list) == 0 {
		return nil, absent{fmt.Sprintf("there is no run %s in %s: train them, or name others", name, root)}
	}
	return list, nil
}

// absent is the error of runs that are missing, or of asterisks that choose no finished run.
type absent struct{ sentence string }

func (a absent) Error() string { return a.sentence }

// ended reports whether a run will not go on, complete or not.
func ended(run *runs.Run) bool {
	return run.Finished() || run.Result != nil && run.Result.Status == "diverged"
}

// complete returns an error for a run that a figure would show unfinished.
func complete(run *runs.Run) error {
	switch r := run.Result; {
	case len(run.Rows) == 0:
		return fmt.Errorf("the log of the run %s is empty: train it first", run.Name)
	case r != nil && r.Status == "diverged":
		return fmt.Errorf("the run %s diverged after %g epochs and has no result to show", run.Name, run.EpochsDone())
	case r == nil || !r.Completed:
		return fmt.Errorf("the run %s is incomplete, %g of %d epochs are done: go on with stochdepth train --run %s",
			run.Name, run.EpochsDone(), run.Recipe.Epochs, run.Name)
	}
	return nil
}

// record reads a record of measurements.
func (s *Sources) record(name string) (*bench.Record, error) {
	if name == "" {
		return nil, errors.New("no measurements are named for this figure")
	}
	return bench.Read(filepath.Join(s.Folder, "bench", name+".json"))
}

// Open reads the project's own data folder.
func Open() (*Sources, error) {
	root, err := project.Root()
	if err != nil {
		return nil, err
	}
	return Read(filepath.Join(root, "data"))
}

// DrawTable draws the table of that name from the project's data folder, as Markdown.
func DrawTable(name string) (string, error) {
	sources, entry, err := find(name)
	if err != nil {
		return "", err
	}
	drawing, err := sources.Draw(entry, Network{})
	if err != nil {
		return "", err
	}
	return drawing.Markdown, nil
}

// Records returns the recorded runs that figures.json names for a figure, those of constant depth apart from the others:
// what a notebook's cell sets beside a reader's own runs. Where it names none, or none of them is there, both lists are
// empty; what is damaged, or incomplete and named without asterisks, is an error.
func Records(name string) (constant, stochastic []*runs.Run, err error) {
	sources, entry, err := find(name)
	if err != nil {
		return nil, nil, err
	}
	return sources.Records(entry)
}

// Records is the function Records for an entry of this data folder.
func (s *Sources) Records(e Entry) (constant, stochastic []*runs.Run, err error) {
	if e.inputs != ofRuns {
		return nil, nil, fmt.Errorf("the figure %s is not drawn from runs", e.Name)
	}
	var list []*runs.Run
	for _, name := range s.Choice[e.Name].Runs {
		found, err := s.Runs([]string{name})
		if errors.As(err, new(absent)) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		list = append(list, found...)
	}
	constant, stochastic = outcome.Split(list)
	return constant, stochastic, nil
}

// Compare compares recorded runs of constant depth with those of one stochastic setting (see outcome.Compare), each named
// as in figures.json: what a notebook's cell prints.
func Compare(constant, stochastic []string) (outcome.Comparison, error) {
	sources, _, err := find("results")
	if err != nil {
		return outcome.Comparison{}, err
	}
	a, err := sources.Runs(constant)
	if err != nil {
		return outcome.Comparison{}, err
	}
	b, err := sources.Runs(stochastic)
	if err != nil {
		return outcome.Comparison{}, err
	}
	return outcome.Compare(a, b)
}

func find(name string) (*Sources, Entry, error) {
	entry, err := Find(name)
	if err != nil {
		return nil, entry, err
	}
	sources, err := Open()
	return sources, entry, err
}
