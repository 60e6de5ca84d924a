package commands

import (
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/cmd/internal/worker"
	"stochdepth/toolkit/internal/stopping"
	"stochdepth/toolkit/runs/sweep"
)

// sweepWorkerCommand returns the command that `sweep run` starts.
func sweepWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "worker", Short: "Train the run described on standard input", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sweep.Work(stopping.Unread(cmd.Context()), cmd.InOrStdin(), cmd.OutOrStdout(), worker.Train(0))
		},
	}
}

// sweepProbeCommand returns the command that `sweep plan` starts.
func sweepProbeCommand() *cobra.Command {
	return answering("probe", "Measure a few steps of the run described on standard input", "sweep plan", worker.Probe)
}

func sweepTaskCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "task NAME [INDEX]",
		Short: "Make one run of a sweep, as a cluster's task does",
		Long: `Make one run of a sweep, by its index in ` + "`sweep plan`" + `, as a task of Slurm or Kubernetes does.

Without INDEX the environment's SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX is used. A finished run is left as it
is; if another process writes the run, the task waits for it. The exit status is 0 when the run is done, 75 when
it was stopped at a checkpoint (by a signal or --max-time) and should be started again, else 1.`,
		Args: cobra.RangeArgs(1, 2),
	}
	read, folder := sweepFlags(cmd)
	dataRoot := dataRootFlag(cmd)
	maxTime := cmd.Flags().Duration("max-time", 0, "stop cleanly at a checkpoint after this long, such as 90m or 8h")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// A scheduler's signal may come twice, the second time through its script: the second one changes nothing, until the
		// process has ended with its status.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM)
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
		options := sweep.Options{Runs: *folder, DataRoot: *dataRoot}
		return s.Task(stopping.Unread(cmd.Context()), options, index, cmd.ErrOrStderr(), worker.Train(*maxTime))
	}
	return cmd
}
