package main

import (
	"github.com/spf13/cobra"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs"
)

// restored is a run's model from one of its checkpoints, with the run's data.
type restored struct {
	run        *runs.Run
	data       *dataset.Data
	model      *training.Model
	checkpoint string
	step       int64
}

// restoreFlags adds the flags that choose a checkpoint, and returns a function that restores the one of a run.
func restoreFlags(cmd *cobra.Command) func(name string) (*restored, error) {
	checkpoint := cmd.Flags().String("checkpoint", training.Best,
		"best: the one of the epoch with the lowest validation error; last: the newest")
	folder, dataRoot := runsFlag(cmd), dataRootFlag(cmd)
	return func(name string) (*restored, error) {
		run, err := runs.Find(*folder, name)
		if err != nil {
			return nil, err
		}
		data, err := training.LoadData(run.Recipe, *dataRoot)
		if err != nil {
			return nil, err
		}
		b, err := backend.Open()
		if err != nil {
			return nil, err
		}
		model, step, err := training.Restore(b, run, *checkpoint, data)
		if err != nil {
			return nil, err
		}
		return &restored{run, data, model, *checkpoint, step}, nil
	}
}
