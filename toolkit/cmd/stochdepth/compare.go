package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

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
