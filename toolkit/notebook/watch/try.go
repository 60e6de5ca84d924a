package watch

import (
	"context"
	"fmt"
	"slices"

	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/notebook"
	"stochdepth/toolkit/runs"
)

// Try trains a preset with some keys changed, such as "death_rate=0.3", as [Train] does, in a folder that is named by what
// differs from the preset: a changed value makes a new run, and an old value gives the old run at once. The curves of the
// newest other tries of the preset are drawn too, and a table shows all of them. A block of your own,
// or a rule, schedule or data set, may have been edited under its name, so a run of it is trained anew.
func Try(ctx context.Context, preset string, settings ...string) (*runs.Run, error) {
	dir, recipe, err := notebook.TryDir(preset, settings...)
	if err != nil {
		return nil, err
	}
	if len(recipe.Own()) > 0 {
		if err := runs.Remove(dir); err != nil {
			return nil, err
		}
	}
	run, err := train(ctx, training.Options{Dir: dir, Recipe: recipe}, 1, "try of "+preset, func() []*runs.Run { return drawn(preset, dir) })
	if err != nil {
		return nil, err
	}
	notebook.TriesTable(preset)
	return run, nil
}

// mostDrawn is the largest number of tries that are drawn together.
const mostDrawn = 6

// drawn are the tries of a preset whose curves are drawn while the one in the folder dir trains: that one, then the others,
// the newest first. Each has its number and its first change as its name.
func drawn(preset, dir string) (list []*runs.Run) {
	tries := notebook.Tries(preset)
	slices.Reverse(tries)
	for _, t := range tries {
		named := *t.Run
		named.Name = label(t)
		if t.Dir == dir {
			list = slices.Insert(list, 0, &named)
		} else {
			list = append(list, &named)
		}
	}
	return list[:min(len(list), mostDrawn)]
}

// label is a short name of a try: its number, and what it changes as far as there is room.
func label(t notebook.Try) string {
	const room = 28
	text := []rune(t.Text)
	if len(text) > room {
		text = append(text[:room-1], '…')
	}
	return fmt.Sprintf("%d: %s", t.Number, string(text))
}
