package main

import (
	"github.com/spf13/cobra"

	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs"
)

// restored is a run's network from one of its checkpoints.
type restored struct {
	*network.Opened
	run        *runs.Run
	checkpoint string
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
		b, err := backend.Open()
		if err != nil {
			return nil, err
		}
		net, err := training.Restore(b, run, *checkpoint, *dataRoot)
		if err != nil {
			return nil, err
		}
		return &restored{net, run, *checkpoint}, nil
	}
}
