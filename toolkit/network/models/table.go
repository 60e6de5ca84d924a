package models

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"stochdepth/toolkit/internal/say"
)

// Table writes one line for each network: its file's name, its recipe, its errors in percent, and its origin. Format "table"
// is for people (rounded, a dash for unknown), the others are for programs (exact; unknown numbers are NaN, and null in JSON).
func Table(w io.Writer, list []Info, format string) error {
	switch format {
	case "table":
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "name\tdata set\timages\tlayers\tdepth\tepoch\tseed\tvalidation %\ttest %\tcommit\tMB")
		for _, i := range list {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\t%s\t%.1f\n",
				i.Name(), i.Recipe.Dataset, i.images(), i.Recipe.Depth, i.Recipe.Closing(), rounded(i.Epoch, -1), i.Recipe.Seed,
				rounded(i.ValidationError, 2), rounded(i.TestError, 2), cmp.Or(say.ShortCommit(i.Commit), "-"), float64(i.Bytes)/1e6)
		}
		return table.Flush()
	case "tsv", "csv":
		lines := make([][]string, len(list))
		for n, i := range list {
			lines[n] = []string{i.Name(), i.Recipe.Dataset, strconv.Itoa(i.TrainingImages), strconv.Itoa(i.Recipe.Depth),
				i.Recipe.Rule, say.Exact(i.Recipe.DeathRate), say.Exact(i.Epoch), strconv.Itoa(i.Recipe.Epochs),
				strconv.FormatInt(i.Recipe.Seed, 10), say.Exact(i.ValidationError), say.Exact(i.TestError), i.Commit, i.Machine,
				i.Run, strconv.FormatInt(i.Bytes, 10)}
		}
		const head = "name dataset training_images depth rule death_rate epoch epochs seed validation_error test_error commit " +
			"machine run bytes"
		return say.WriteSeparated(w, format, strings.Fields(head), lines)
	case "json":
		lines := make([]line, len(list)) // not nil: no networks are [] in JSON
		for n, i := range list {
			lines[n] = line{i.Name(), i.Recipe.Dataset, i.TrainingImages, i.Recipe.Depth, i.Recipe.Rule, i.Recipe.DeathRate,
				say.Known(i.Epoch), i.Recipe.Epochs, i.Recipe.Seed, say.Known(i.ValidationError), say.Known(i.TestError),
				i.Commit, i.Machine, i.Run, i.Bytes}
		}
		return say.WriteJSON(w, lines)
	}
	return say.CheckFormat(format)
}

// line is a network in JSON.
type line struct {
	Name            string   `json:"name"`
	Dataset         string   `json:"dataset"`
	TrainingImages  int      `json:"training_images"`
	Depth           int      `json:"depth"` // layers
	Rule            string   `json:"rule"`
	DeathRate       float64  `json:"death_rate"`
	Epoch           *float64 `json:"epoch"`
	Epochs          int      `json:"epochs"` // of the whole run
	Seed            int64    `json:"seed"`
	ValidationError *float64 `json:"validation_error"` // percent
	TestError       *float64 `json:"test_error"`       // percent
	Commit          string   `json:"commit"`
	Machine         string   `json:"machine"`
	Run             string   `json:"run"`
	Bytes           int64    `json:"bytes"`
}

// rounded returns x with the given number of digits after the point, or for -1 with up to four digits in all; NaN is a dash.
func rounded(x float64, digits int) string {
	if math.IsNaN(x) {
		return "-"
	}
	if digits < 0 {
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

// images is the number of training images, or a dash.
func (i Info) images() string {
	if i.TrainingImages == 0 {
		return "-"
	}
	return strconv.Itoa(i.TrainingImages)
}

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
	var table strings.Builder
	if len(list) == 0 {
		table.WriteString("There is no network here yet.\n")
	} else {
		table.WriteString("| File | Data | Training images | Layers | Depth | Epoch | Seed | Validation | Test | Commit |\n")
		table.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	}
	for _, i := range list {
		fmt.Fprintf(&table, "| [%s](%s%s) | %s | %s | %d | %s | %s of %d | %d | %s | %s | %s |\n", i.Name(), i.Name(), Extension,
			i.Recipe.Dataset, i.images(), i.Recipe.Depth, say.Markdown(i.Recipe.Closing()), rounded(i.Epoch, -1), i.Recipe.Epochs,
			i.Recipe.Seed, rounded(i.ValidationError, 2), rounded(i.TestError, 2), cmp.Or(say.ShortCommit(i.Commit), "-"))
	}
	return table.String(), nil
}
