package commands

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/internal/stopping"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/sweep"
)

func sweepCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "Make many runs from a grid of recipes, on this machine or a cluster",
		Long: `Make many runs from a grid of recipes: death rate by rule by depth by seed, as in the paper's Fig. 8.

A sweep is a file, data/sweeps/NAME.json:

  {"recipe": "shapes",
   "set":  {"epochs": 5},
   "grid": {"rule": ["linear", "uniform"], "death_rate": [0, 0.2, 0.5], "seed": [1, 2, 3]}}

Each combination is a separate run in data/runs, such as NAME/20-linear-0.5-s1: sweep, depth, rule, p_L and
seed. At death rate 0 the rules are the same network, which is trained once, such as NAME/20-constant-s1.
With "name": "A/B" in the file the runs are in the folder A/B instead. A run that exists under the older kind
of name, NAME-20-linear-0.5-s1, continues there.

Any number of these commands, on any number of machines that share the folder, may work on one sweep at
the same time: only one process writes to a run. An interrupted run continues where it stopped.`,
		Example: `  stochdepth sweep plan fig8-left        # the runs, with time and memory from a few measured steps
  stochdepth sweep run fig8-left         # make them; Ctrl-C stops at checkpoints, the same command continues
  stochdepth sweep status fig8-left
  stochdepth sweep results fig8-left     # mean and spread over the seeds`,
	}
	cmd.AddCommand(sweepPlanCommand(), sweepRunCommand(), sweepStatusCommand(), sweepResultsCommand(),
		sweepTaskCommand(), sweepSlurmCommand(), sweepKubernetesCommand(), sweepWorkerCommand(), sweepProbeCommand())
	return cmd
}

// sweepFlags adds the flags that all sweep commands share, and returns a function that reads a sweep by its name.
func sweepFlags(cmd *cobra.Command) (read func(name string) (*sweep.Sweep, error), folder *string) {
	sweeps := cmd.Flags().String("sweeps", inProject("data", "sweeps"), "folder of the sweep files")
	return func(name string) (*sweep.Sweep, error) {
		path, err := sweep.Find(*sweeps, name)
		if err != nil {
			return nil, err
		}
		return sweep.Read(path)
	}, runsFlag(cmd)
}

// self returns the command that starts this program again.
func self(args ...string) ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program's own file, to start workers: %w", err)
	}
	return append([]string{program}, args...), nil
}

// thisMachine describes this machine, with its GPUs if training would use them.
func thisMachine() sweep.Machine {
	plugin, err := backend.Find()
	return sweep.ThisMachine(err == nil && plugin.Kind == backend.CUDA)
}

func sweepPlanCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan NAME",
		Short: "List the runs of a sweep, with the time and memory that each will take",
		Args:  cobra.ExactArgs(1),
	}
	read, folder := sweepFlags(cmd)
	dataRoot := dataRootFlag(cmd)
	measure := cmd.Flags().Bool("measure", true, "measure a few steps of each network, for time and memory")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := read(args[0])
		if err != nil {
			return err
		}
		var estimates []sweep.Estimate
		if *measure {
			command, err := self("sweep", "probe")
			if err != nil {
				return err
			}
			estimates, err = s.Estimate(cmd.Context(), command, *dataRoot, func(done, total int) {
				fmt.Fprintf(cmd.ErrOrStderr(), "Measuring network %d of %d ...\n", done+1, total)
			})
			if err != nil {
				return err
			}
		}
		return sweep.WritePlan(cmd.OutOrStdout(), s.Status(*folder), estimates, thisMachine().DefaultWorkers())
	}
	return cmd
}

func sweepRunCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Make the runs of a sweep on this machine, or continue them",
		Long: `Make the runs of a sweep on this machine, or continue them.

Finished runs are skipped, and unfinished ones continue. Failed runs are left alone and do not stop the others;
--retry tries them again. Ctrl-C stops all workers at checkpoints, a second one kills them. Each worker is a process
with its share of the processors, or with its own GPU.`,
		Args: cobra.ExactArgs(1),
	}
	read, folder := sweepFlags(cmd)
	dataRoot := dataRootFlag(cmd)
	workers := cmd.Flags().Int("workers", 0, "runs at the same time (default: chosen by processors, memory and GPUs)")
	retry := cmd.Flags().Bool("retry", false, "try failed runs again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := say.CheckRange("--workers", *workers, 0, sweep.MaxWorkers); err != nil {
			return err
		}
		s, err := read(args[0])
		if err != nil {
			return err
		}
		command, err := self("sweep", "worker")
		if err != nil {
			return err
		}
		if err := checkPictures(cmd, s.Status(*folder), *retry, *dataRoot); err != nil {
			return err
		}
		machine := thisMachine()
		if *workers < 1 {
			*workers = machine.DefaultWorkers()
		}
		show, done := showSweep(progress.New(0, s.Name, "runs"))
		err = s.Run(stopping.Unread(cmd.Context()), sweep.Options{Runs: *folder, DataRoot: *dataRoot, Command: command,
			Slots: machine.Slots(*workers), Retry: *retry, OnProgress: show})
		done()
		return err
	}
	return cmd
}

// checkPictures packs the folder of pictures of the runs that a sweep is to make, so that a wrong folder is an error of the
// command, and not one of each run.
func checkPictures(cmd *cobra.Command, list []sweep.Status, retry bool, dataRoot string) error {
	checked := map[string]bool{}
	for _, status := range list {
		recipe := status.Job.Recipe
		options := recipe.DataOptions(dataRoot)
		settings := fmt.Sprint(recipe.Dataset, options.Size, options.Resize, options.EXIF)
		begins := status.State == sweep.Pending || status.State == sweep.Stopped || retry && status.State == sweep.Failed
		if !dataset.IsFolder(recipe.Dataset) || !begins || checked[settings] {
			continue
		}
		checked[settings] = true
		data, err := network.LoadData(cmd.Context(), recipe, dataRoot)
		if err != nil && cmd.Context().Err() != nil {
			return fmt.Errorf("%w: %v", sweep.ErrStopped, err) // one sentence
		}
		if err != nil {
			return err
		}
		printNotes(cmd.ErrOrStderr(), data.Notes)
	}
	return nil
}

func sweepStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status NAME",
		Short: "Show how far the runs of a sweep have come",
		Args:  cobra.ExactArgs(1),
	}
	read, folder := sweepFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := read(args[0])
		if err != nil {
			return err
		}
		list := s.Status(*folder)
		return writeStatusTable(cmd, "state", func(w io.Writer) error { return sweep.WriteStatus(w, list) })
	}
	return cmd
}

func sweepResultsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "results NAME",
		Short: "Show the errors over the grid: mean and standard deviation over the seeds",
		Long: `Show the errors over the grid: mean and standard deviation (n - 1) over the seeds of the finished runs.

The test error of a run is the one at its best validation epoch. --each lists the single runs.`,
		Args: cobra.ExactArgs(1),
	}
	read, folder := sweepFlags(cmd)
	format := formatFlag(cmd)
	each := cmd.Flags().Bool("each", false, "one line per run instead")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := read(args[0])
		if err != nil {
			return err
		}
		list := s.Status(*folder)
		if counts := sweep.Count(list); counts[sweep.Done] < len(list) {
			fmt.Fprintln(cmd.ErrOrStderr(), sweep.Summary(list)) // so that nobody takes these results for complete
		}
		if !*each {
			return outcome.WritePoints(cmd.OutOrStdout(), s, outcome.Points(s, *folder), *format)
		}
		var done []*runs.Run
		for _, status := range list {
			if status.State == sweep.Done {
				done = append(done, status.Run)
			}
		}
		return runs.Table(cmd.OutOrStdout(), done, *format)
	}
	return cmd
}

// outFile returns the default path of a file that is written for a cluster.
func outFile(name string) string { return filepath.Join(inProject(".out", "sweeps"), name) }
