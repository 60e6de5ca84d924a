package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

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
