package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/backend"
	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/training"
)

func evalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "eval RUN",
		Short: "Print a run's error on the validation and test images",
		Args:  cobra.ExactArgs(1),
	}
	checkpoint := cmd.Flags().String("checkpoint", training.Best, "best: of the epoch with the lowest validation error; last: the newest")
	folder, dataRoot := runsFlag(cmd), dataRootFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		run, err := openRun(*folder, args[0])
		if err != nil {
			return err
		}
		data, err := training.LoadData(run.Recipe, *dataRoot)
		if err != nil {
			return err
		}
		b, err := backend.Open()
		if err != nil {
			return err
		}
		model, step, err := training.Restore(b, run, *checkpoint, data)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s, checkpoint %s, step %d\n", run.Name, *checkpoint, step)
		for _, part := range []struct {
			name   string
			images dataset.View
		}{{"validation", data.Validation}, {"test", data.Test}} {
			score, err := model.Evaluate(cmd.Context(), part.images)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%-10s  error %6.2f %%  loss %.4f  (%d images)\n", part.name, score.Error, score.Loss, part.images.Len())
		}
		return nil
	}
	return cmd
}
