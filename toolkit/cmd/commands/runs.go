package commands

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

func runsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runs [RUN ...]",
		Short: "List the runs, with the best validation epoch of each",
		Long: `List the runs, with the best validation epoch of each.

The runs of a sweep are in a folder with its name, such as fig8-left/20-constant-s1. In a pattern of names * stands for
any characters including slashes, ? for one, [ab] for a or b. A dash may stand for a slash: 'fig8-left/20-*' and
'fig8-left-20-*' match the same runs.`,
		Example: `  stochdepth runs --filter 'quickstart/*' --sort test-error
  stochdepth runs --where dataset=cifar10 --where depth=20 --format csv`,
	}
	var s runs.Selection
	flags := cmd.Flags()
	flags.StringVar(&s.Names, "filter", "", "only runs whose name, or its last part, matches a pattern, such as 'quickstart/*'")
	flags.StringArrayVar(&s.Where, "where", nil, "only runs whose recipe has key=value, such as depth=20; may be repeated")
	flags.StringVar(&s.Sort, "sort", "", "lowest first by "+strings.Join(runs.SortKeys(), ", "))
	flags.BoolVar(&s.Reverse, "reverse", false, "highest first")
	format := formatFlag(cmd)
	folder := runsFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// A broken run is reported after the others are listed.
		list, broken := runs.List(*folder)
		if len(args) > 0 {
			list, broken = nil, nil
			for _, name := range args {
				run, err := runs.Find(*folder, name)
				if err != nil {
					return err
				}
				list = append(list, run)
			}
		}
		list, err := s.Of(list)
		if err != nil {
			return err
		}
		column := "status"
		if *format != "table" {
			column = "" // programs want no colours
		}
		err = writeStatusTable(cmd, column, func(w io.Writer) error { return runs.Table(w, list, *format) })
		if err != nil {
			return err
		}
		return broken
	}
	return cmd
}

func compareCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Compare two runs side by side, or two groups of runs over several seeds",
		Long: `Compare two runs side by side: what differs in their recipes, their results, and the differences, B minus A.

Each of A and B is a run, by its name or folder, or a pattern of names as in ` + "`stochdepth runs --filter`" + `, such as
'mine/20-constant-*', for runs that differ in their seeds. If two groups share seeds, only the runs with these seeds are
compared. The difference of the test errors has a 95 % confidence interval by Student's t, of the paired differences or,
if no seed is shared, by Welch's method. Training times are compared if the runs did the same number of steps on one
machine.`,
		Example: `  stochdepth compare mine-constant mine-stochastic
  stochdepth compare 'quickstart/20-constant-*' 'quickstart/20-linear-0.5-*'`,
		Args: cobra.ExactArgs(2),
	}
	folder := runsFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var sides [2]outcome.Side
		for i, name := range args {
			list, err := findRuns(*folder, name)
			if err != nil {
				return err
			}
			sides[i] = outcome.Side{Name: name, Runs: list}
		}
		return outcome.WriteSides(cmd.OutOrStdout(), sides[0], sides[1])
	}
	return cmd
}

// findRuns returns the run with this name or folder, or the runs whose names match it as a pattern.
func findRuns(folder, name string) ([]*runs.Run, error) {
	if dir, _ := runs.Locate(folder, name); isDir(dir) {
		run, err := runs.Find(folder, name)
		return []*runs.Run{run}, err
	}
	list, broken := runs.List(folder)
	list, err := runs.Matching(list, name)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0 && broken != nil:
		return nil, broken
	case len(list) == 0:
		return nil, fmt.Errorf("no run is named %s or matches it: `stochdepth runs` lists the runs", name)
	}
	return list, nil
}

func watchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch RUN",
		Short: "Show the progress of a run that another process trains",
		Long: `Follow a run that another process is training, here or on another machine that shares the folder: a line for
each evaluation, and below it epoch, step, speed, time left, loss and errors. It ends with the run, or with Ctrl-C, which
leaves the training alone. If standard error is not a terminal, it prints plain lines.`,
		Example: "  stochdepth watch mine\n  stochdepth watch mine --wait 10m   # it may begin later",
		Args:    cobra.ExactArgs(1),
	}
	folder := runsFlag(cmd)
	wait := cmd.Flags().Duration("wait", 0, "how long to wait for a run that has not begun, such as 10m")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := notNegative("--wait", *wait); err != nil {
			return err
		}
		dir, name := runs.Locate(*folder, args[0])
		bar := progress.New(0, say.Shown(name), "epochs")
		run, err := runs.Follow(cmd.Context(), dir, *wait, bar, func(*runs.Run) {})
		if err == nil && run != nil && run.Status() == "interrupted" {
			return fmt.Errorf("no process trains %s: the command that began it continues it", say.Shown(name))
		}
		return err
	}
	return cmd
}
