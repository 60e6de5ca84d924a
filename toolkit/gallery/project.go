package gallery

import (
	"path/filepath"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/project"
)

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

func drawEntry(name string) (*Drawing, error) {
	entry, err := Find(name)
	if err != nil {
		return nil, err
	}
	root, err := project.Root()
	if err != nil {
		return nil, err
	}
	sources, err := Read(filepath.Join(root, "data"))
	if err != nil {
		return nil, err
	}
	return sources.Draw(entry, Network{})
}
