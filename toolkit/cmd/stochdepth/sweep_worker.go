package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/cmd/internal/worker"
	"stochdepth/toolkit/internal/stopping"
	"stochdepth/toolkit/runs/sweep"
)

// sweepWorkerCommand is started by `sweep run`.
func sweepWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "worker", Short: "Train one run, told on standard input", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sweep.Work(stopping.Unread(cmd.Context()), cmd.InOrStdin(), cmd.OutOrStdout(), worker.Train(0))
		},
	}
}

// sweepProbeCommand is started by `sweep plan`.
func sweepProbeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "probe", Short: "Measure a few steps of a run, told on standard input", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var order sweep.Order
			if err := json.NewDecoder(cmd.InOrStdin()).Decode(&order); err != nil {
				return fmt.Errorf("this is started by `stochdepth sweep plan`: %w", err)
			}
			probe, err := worker.Probe(cmd.Context(), order)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(probe)
		},
	}
}

func sweepTaskCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "task NAME [INDEX]",
		Short: "Make one run of a sweep: what a cluster's task does",
		Long: `Make one run of a sweep, by its index in ` + "`sweep plan`" + `: what a task of Slurm or Kubernetes does.

Without INDEX it is that of the environment's SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX. A finished run is
left as it is; one that another process writes is waited for. The exit status is 0 when the run is done,
75 when it was stopped at a checkpoint (by a signal or --max-time) and is to be started again, else 1.`,
		Args: cobra.RangeArgs(1, 2),
	}
	read, folder := sweepFlags(cmd)
	dataRoot := dataRootFlag(cmd)
	maxTime := cmd.Flags().Duration("max-time", 0, "stop cleanly at a checkpoint after so long, as 90m or 8h")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// A scheduler's signal may come twice, also through the script that it started: the second says nothing new.
		again := make(chan os.Signal, 1)
		signal.Notify(again, syscall.SIGTERM)
		defer signal.Stop(again)
		if err := notNegative("--max-time", *maxTime); err != nil {
			return err
		}
		s, err := read(args[0])
		if err != nil {
			return err
		}
		index, err := s.TaskIndex(strings.Join(args[1:], ""))
		if err != nil {
			return err
		}
		return s.Task(stopping.Unread(cmd.Context()), sweep.Options{Runs: *folder, DataRoot: *dataRoot}, index, cmd.ErrOrStderr(), worker.Train(*maxTime))
	}
	return cmd
}
