package main

import (
	"strings"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/runs"
)

func runsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runs [RUN ...]",
		Short: "List the runs, with the best validation epoch of each",
	}
	format := cmd.Flags().String("format", "table", strings.Join(runs.TableFormats, ", "))
	folder := runsFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// A broken run is reported after the others are listed.
		list, broken := runs.List(*folder)
		if len(args) > 0 {
			list, broken = nil, nil
			for _, name := range args {
				run, err := openRun(*folder, name)
				if err != nil {
					return err
				}
				list = append(list, run)
			}
		}
		if err := runs.Table(cmd.OutOrStdout(), list, *format); err != nil {
			return err
		}
		return broken
	}
	return cmd
}
