package models

import (
	"cmp"
	"fmt"
	"io"
	"strconv"

	"stochdepth/toolkit/internal/say"
)

// columns are the columns of Table, in order.
var columns = []say.Column[Info]{
	{Key: "name", Head: "name", Value: func(i Info) any { return i.Name() }},
	{Key: "dataset", Head: "data set", Value: func(i Info) any { return i.Recipe.Dataset }},
	{Key: "training_images", Head: "images", Value: func(i Info) any { return i.TrainingImages }, Shown: Info.images},
	{Key: "depth", Head: "layers", Value: func(i Info) any { return i.Recipe.Depth }},
	{Key: "rule", Head: "depth", Value: func(i Info) any { return i.Recipe.Rule },
		Shown: func(i Info) string { return i.Recipe.Closing() }},
	{Key: "death_rate", Value: func(i Info) any { return i.Recipe.DeathRate }},
	{Key: "epoch", Head: "epoch", Value: func(i Info) any { return i.Epoch }, Format: "%.4g"},
	{Key: "epochs", Value: func(i Info) any { return i.Recipe.Epochs }}, // of the whole run
	{Key: "seed", Head: "seed", Value: func(i Info) any { return i.Recipe.Seed }},
	{Key: "validation_error", Head: "validation %", Value: func(i Info) any { return i.ValidationError }, Format: "%.2f"},
	{Key: "test_error", Head: "test %", Value: func(i Info) any { return i.TestError }, Format: "%.2f"},
	{Key: "commit", Head: "commit", Value: func(i Info) any { return i.Commit }, Shown: Info.commit},
	{Key: "machine", Value: func(i Info) any { return i.Machine }},
	{Key: "run", Value: func(i Info) any { return i.Run }},
	{Key: "bytes", Head: "MB", Value: func(i Info) any { return i.Bytes },
		Shown: func(i Info) string { return fmt.Sprintf("%.1f", float64(i.Bytes)/1e6) }},
}

// Table writes one line for each network: its file's name, its recipe, its errors in percent, and its origin. format is one of
// [say.TableFormats].
func Table(w io.Writer, list []Info, format string) error {
	return say.WriteTable(w, format, columns, list)
}

// images is the number of training images, or a dash.
func (i Info) images() string {
	if i.TrainingImages == 0 {
		return "-"
	}
	return strconv.Itoa(i.TrainingImages)
}

// commit is the short commit, or a dash.
func (i Info) commit() string { return cmp.Or(say.ShortCommit(i.Commit), "-") }

// Markdown returns a table of the networks of a folder, whose descriptions must be complete.
func Markdown(folder string) (string, error) {
	list, err := List(folder)
	if err != nil {
		return "", err
	}
	for _, info := range list {
		if err := info.Complete(); err != nil {
			return "", err
		}
	}
	if len(list) == 0 {
		return "There is no network here yet.\n", nil
	}
	lines := [][]string{{"File", "Data", "Training images", "Layers", "Survival", "Epoch", "Seed", "Validation", "Test", "Commit"}}
	for _, i := range list {
		lines = append(lines, []string{fmt.Sprintf("[%s](%[1]s%s)", i.Name(), Extension), i.Recipe.Dataset, i.images(),
			fmt.Sprint(i.Recipe.Depth), say.Markdown(i.Recipe.Closing()), fmt.Sprintf("%.4g of %d", i.Epoch, i.Recipe.Epochs),
			fmt.Sprint(i.Recipe.Seed), fmt.Sprintf("%.2f", i.ValidationError), fmt.Sprintf("%.2f", i.TestError), i.commit()})
	}
	return say.MarkdownTable(lines), nil
}
