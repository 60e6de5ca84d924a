package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/runs"
)

func evalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "eval RUN",
		Short: "Print a run's error on the validation and test images",
		Args:  cobra.ExactArgs(1),
	}
	restore := restoreFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := restore(args[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s, checkpoint %s, step %d\n", runs.Shown(r.run.Name), r.checkpoint, r.step)
		for _, part := range []struct {
			name   string
			images dataset.View
		}{{"validation", r.data.Validation}, {"test", r.data.Test}} {
			score, err := r.model.Evaluate(cmd.Context(), part.images)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%-10s  error %6.2f %%  loss %.4f  (%d images)\n", part.name, score.Error, score.Loss, part.images.Len())
		}
		return nil
	}
	return cmd
}
