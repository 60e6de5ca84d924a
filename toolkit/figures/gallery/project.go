package gallery

import (
	"errors"
	"fmt"
	"path/filepath"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

// Open reads the project's own data folder.
func Open() (*Sources, error) {
	root, err := project.Root()
	if err != nil {
		return nil, err
	}
	return Read(filepath.Join(root, "data"))
}

// Draw draws the figure of that name from the project's data folder: what a notebook's cell calls.
func Draw(name string) (*figures.Figure, error) {
	drawing, err := drawEntry(name)
	if err != nil {
		return nil, err
	}
	return drawing.Figure, nil
}

// DrawTable is Draw for a table, as Markdown.
func DrawTable(name string) (string, error) {
	drawing, err := drawEntry(name)
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

func drawEntry(name string) (*Drawing, error) {
	sources, entry, err := find(name)
	if err != nil {
		return nil, err
	}
	return sources.Draw(entry, Network{})
}
