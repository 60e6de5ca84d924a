package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/cmd/internal/rates"
	"stochdepth/toolkit/figures/gallery"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/page"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/outcome/findrate"
	"stochdepth/toolkit/runs"
)

func pagesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pages",
		Short: "Write the generated parts of the project's pages again, from the records",
		Long: `Write the generated parts of the project's pages again, from the records in data: the results in README.md, and the
tables of runs, replayed searches for p_L, speed, trained networks and rates in other libraries. Each part stands between two comments. The command
figures writes the gallery's page.`,
		Args: cobra.NoArgs,
	}
	check := cmd.Flags().Bool("check", false, "write nothing, and fail if a page is missing or does not agree with the records")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		root, err := project.Root()
		if err != nil {
			return err
		}
		if missing := page.Missing(root); len(missing) > 0 {
			return fmt.Errorf("these pages are missing: %s; `git restore %s` brings them back",
				strings.Join(missing, ", "), strings.Join(missing, " "))
		}
		var stale []string
		for _, name := range page.Names(root) {
			path := filepath.Join(root, filepath.FromSlash(name))
			text, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("cannot read a page: %w", err)
			}
			next, err := page.Fill(string(text), partOf)
			switch {
			case err != nil:
				return fmt.Errorf("%s: %w", name, err)
			case next == string(text):
			case *check:
				stale = append(stale, name)
			default:
				if err := files.Write(path, []byte(next)); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
		}
		if len(stale) > 0 {
			return fmt.Errorf("these pages do not agree with the records: %s; `stochdepth pages` writes them again",
				strings.Join(stale, ", "))
		}
		return nil
	}
	return cmd
}

// partOf returns the generated part of a page that the words name.
func partOf(words []string) (string, error) {
	record := func(name string) string { return inProject("data", "bench", name+".json") }
	switch kind := strings.Join(words[:min(1, len(words))], ""); {
	case kind == "results" && len(words) == 1:
		return gallery.DrawTable(kind)
	case kind == "networks" && len(words) == 1:
		return models.Markdown(inProject("data", "models"))
	case kind == "rates" && len(words) == 1:
		table, err := rates.Read(inProject("data", "rates.json"))
		if err != nil {
			return "", err
		}
		return table.Markdown(), nil
	case kind == "find-rate" && len(words) == 1:
		list, err := runs.List(inProject("data", "runs"))
		if err != nil {
			return "", err
		}
		cases, err := findrate.Replay(list)
		return findrate.Markdown(cases), err
	case kind == "runs" && len(words) > 1:
		sources, err := gallery.Open()
		if err != nil {
			return "", err
		}
		list, err := sources.Runs(words[1:])
		return tableOfRuns(list), err
	case kind == "speed" && len(words) == 2:
		return bench.Speed(inProject("data", "bench"), words[1])
	case kind == "blocks" && len(words) == 3:
		open, err := bench.Read(record(words[1]))
		if err != nil {
			return "", err
		}
		compile, err := bench.Read(record(words[2]))
		if err != nil {
			return "", err
		}
		return bench.MarkdownOfBlocks(open, compile), nil
	}
	return "", fmt.Errorf("there is no part %q: the parts are results, networks, rates, find-rate, runs NAME ..., speed "+
		"RECORDS and blocks RECORD RECORD", strings.Join(words, " "))
}

// tableOfRuns returns a table of single runs for data/README.md.
func tableOfRuns(list []*runs.Run) string {
	lines := [][]string{{"Run", "Epoch", "Validation error (%)", "Test error (%)", "Training loss at the end", "Training time"}}
	for _, run := range list {
		best, _ := run.Selected()
		lines = append(lines, []string{fmt.Sprintf("[%s](runs/%[1]s)", run.Name), fmt.Sprintf("%g of %d", best.Epoch, run.Recipe.Epochs),
			fmt.Sprintf("%.2f", best.ValidationError), fmt.Sprintf("%.2f", best.TestError),
			fmt.Sprintf("%.3f", run.Rows[len(run.Rows)-1].TrainLoss), say.SpanOf(run.Seconds())})
	}
	return say.MarkdownTable(lines)
}
