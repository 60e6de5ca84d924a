package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
)

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
