package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/internal/stopping"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/outcome/findrate"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/sweep"
)

func findRateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "find-rate",
		Short: "Find the survival probability p_L for a recipe, by short trainings within a budget of time",
		Long: `Find the survival probability of the last block, p_L, that suits a recipe, within a budget of time.

In a short training constant depth has the lowest validation error, whatever is best in a long one. But how well a network has
learned its images (validation error over training error) follows one rule in all recorded trainings: it grows with the number
of epochs and with the share of open blocks. So trainings of a quarter and of half of the epochs, each a whole short schedule,
say how much the whole training will learn at each p_L, and half of the candidates are left after each length. If the budget
allows, the last two and constant depth are trained for all epochs, with as many seeds as it takes to tell them apart, and the
lowest validation error decides. Test images choose nothing. --replay shows how good this is on the recorded sweeps.

The runs are in the folder find-rate-NAME of the run folders. Ctrl-C stops at checkpoints, and the same command goes on; with
a larger budget it finds out more. With --plan nothing is trained: the sweep file of the next round is written, for
` + "`sweep run`, `sweep slurm` or `sweep kubernetes`" + `, and the same command afterwards reads what there is.`,
		Example: `  stochdepth find-rate --recipe quickstart --budget 20m --figure rate.png
  stochdepth find-rate --dataset cifar10 --set train_images=1000 --depth 20 --epochs 60 --budget 45m
  stochdepth find-rate --recipe cifar10 --budget 8h --plan
  stochdepth find-rate --replay`,
		Args: cobra.NoArgs,
	}
	recipeOf := recipeFlags(cmd)
	budget := cmd.Flags().Duration("budget", 0, "time for all trainings of the search together, such as 45m or 8h")
	candidates := cmd.Flags().Float64Slice("candidates", findrate.Candidates, "the p_L to choose from; 1 is constant depth")
	name := cmd.Flags().String("name", "", "name of the search (default: from recipe, depth and epochs)")
	workers := cmd.Flags().Int("workers", 0, "runs at the same time (default: chosen by processors, memory and GPUs)")
	retry := cmd.Flags().Bool("retry", false, "try failed runs again")
	plan := cmd.Flags().Bool("plan", false, "train nothing: write the sweep file of the next round")
	replay := cmd.Flags().Bool("replay", false, "train nothing: search on the recorded sweeps, and show how good the answers are")
	figure := cmd.Flags().String("figure", "", "also draw the validation errors into this file (.png, .svg or .pdf)")
	format := formatFlag(cmd)
	folder, dataRoot := runsFlag(cmd), dataRootFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case *replay:
			return replayRates(cmd, *folder, *format)
		case cmd.Flags().Changed("death-rate") || setsRate(cmd):
			return errors.New("find-rate tries death rates itself: leave --death-rate out, or give --candidates, the p_L = 1 - death rate")
		case *budget <= 0:
			return errors.New("how long may it take? Give --budget, such as --budget 45m")
		}
		if err := cmp.Or(say.CheckRange("--workers", *workers, 0, sweep.MaxWorkers), say.CheckFormat(*format), figures.CheckPath(*figure)); err != nil {
			return err
		}
		checked, err := recipeOf(nil)
		if err != nil {
			return err
		}
		recipe := checked.Recipe()
		if *name == "" {
			preset, _ := cmd.Flags().GetString("recipe")
			preset = strings.TrimSuffix(filepath.Base(cmp.Or(preset, recipe.Dataset)), ".json")
			*name = fmt.Sprintf("%s-%d-%d", strings.ReplaceAll(preset, ":", "-"), recipe.Depth, recipe.Epochs)
		}
		work, err := findrate.Open(*folder, findrate.Prefix+*name, recipe, *candidates)
		if err != nil {
			return err
		}
		f := finder{cmd: cmd, work: work, runs: *folder, dataRoot: *dataRoot, workers: *workers, retry: *retry, budget: *budget}
		if err := f.time(); err != nil {
			return err
		}
		if *plan {
			return f.plan()
		}
		if err := f.train(); err != nil {
			return err
		}
		return f.show(*format, *figure)
	}
	return cmd
}

// setsRate reports whether --set chooses the death rate, itself or by a budget of work.
func setsRate(cmd *cobra.Command) bool {
	sets, _ := cmd.Flags().GetStringArray("set")
	return slices.ContainsFunc(sets, func(set string) bool {
		return strings.HasPrefix(set, "death_rate=") && set != "death_rate=0" || strings.HasPrefix(set, "budget=")
	})
}

// finder is a search and how its runs are made.
type finder struct {
	cmd            *cobra.Command
	work           *findrate.Work
	runs, dataRoot string
	workers        int
	retry          bool
	budget         time.Duration
}

func (f finder) search() findrate.Search { return f.work.Search(f.budget.Seconds(), findrate.Recorded) }

// time measures a few steps in a new search, and checks the budget.
func (f finder) time() error {
	if !f.work.Timed() {
		probes := f.work.Probes()
		if err := checkPictures(f.cmd, probes.Status(f.runs), false, f.dataRoot); err != nil {
			return err
		}
		command, err := self("sweep", "probe")
		if err != nil {
			return err
		}
		fmt.Fprintln(f.cmd.ErrOrStderr(), "Measuring a few steps ...")
		estimates, err := probes.Estimate(f.cmd.Context(), command, f.dataRoot, nil)
		if err != nil {
			return err
		}
		clock := f.work.ClockOf(estimates)
		if err := f.work.With(clock).Search(f.budget.Seconds(), findrate.Recorded).CheckBudget(); err != nil {
			return fmt.Errorf("--budget: %w", err)
		}
		return f.work.SetClock(clock)
	}
	if err := f.search().CheckBudget(); err != nil {
		return fmt.Errorf("--budget: %w", err)
	}
	return nil
}

// plan writes the sweep file of the next round, and says how it can be made.
func (f finder) plan() error {
	list, pending, err := f.work.Runs()
	if err != nil {
		return err
	}
	if pending == nil {
		round, ok := f.search().Next(list)
		if !ok {
			_, err := fmt.Fprintln(f.cmd.OutOrStdout(), "No further round within this budget: the same command without --plan says what "+
				"has come of the others.")
			return err
		}
		if pending, err = f.work.Add(round); err != nil {
			return err
		}
	}
	args, retry := sweep.Quote(pending.Path), ""
	if f.cmd.Flags().Changed("runs") {
		args += " --runs " + sweep.Quote(f.runs)
	}
	status := pending.Status(f.runs)
	if sweep.Count(status)[sweep.Failed] > 0 {
		retry = " --retry"
	}
	_, err = fmt.Fprintf(f.cmd.OutOrStdout(), "%s: %s. Make them with\n\n  stochdepth sweep run %[3]s%[4]s\n"+
		"  stochdepth sweep slurm %[3]s --time 2h\n\nand then call this command again.\n", pending.Path,
		sweep.Summary(status), args, retry)
	return err
}

// train makes one round after the other.
func (f finder) train() error {
	command, err := self("sweep", "worker")
	if err != nil {
		return err
	}
	machine := thisMachine()
	if f.workers < 1 {
		f.workers = machine.DefaultWorkers()
	}
	for {
		list, pending, err := f.work.Runs()
		if err != nil {
			return err
		}
		if pending == nil {
			round, ok := f.search().Next(list)
			if !ok {
				return nil
			}
			if pending, err = f.work.Add(round); err != nil {
				return err
			}
		}
		if err := checkPictures(f.cmd, pending.Status(f.runs), f.retry, f.dataRoot); err != nil {
			return err
		}
		left := f.budget - f.work.Spent()
		if left <= 0 {
			return nil
		}
		// A round that takes longer than expected stops at checkpoints when the time is over, and goes on with a larger budget.
		ctx, cancel := context.WithTimeout(f.cmd.Context(), left)
		show, done := showSweep(progress.New(0, pending.Folder, "runs"))
		err = pending.Run(stopping.Unread(ctx), sweep.Options{Runs: f.runs, DataRoot: f.dataRoot, Command: command,
			Slots: machine.Slots(f.workers), Retry: f.retry, OnProgress: show})
		done()
		cancel()
		if errors.Is(err, sweep.ErrStopped) && f.cmd.Context().Err() == nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// show prints the answer, and draws it.
func (f finder) show(format, figure string) error {
	list, pending, err := f.work.Runs()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("no training was finished within the budget of %s: the same command with a larger --budget goes on", f.budget)
	}
	answer, err := f.search().Answer(list)
	if err != nil {
		return err
	}
	about := aside(f.cmd, format)
	fmt.Fprintln(about)
	if err := findrate.WritePoints(f.cmd.OutOrStdout(), format, answer); err != nil {
		return err
	}
	fmt.Fprintf(about, "\n%s\n", answer)
	if pending != nil {
		fmt.Fprintf(about, "The budget was over before the last round was done (%s): with a larger --budget it goes on.\n",
			sweep.Summary(pending.Status(f.runs)))
	}
	if figure == "" {
		return nil
	}
	drawn, err := drawRate(list, answer)
	if err != nil {
		return err
	}
	return figures.Save(figure, drawn)
}

// drawRate draws an answer.
func drawRate(list []*runs.Run, answer findrate.Answer) (*figures.Figure, error) {
	var rounds []figures.RateRound
	for _, p := range answer.Points {
		if len(p.Runs) == 0 {
			continue
		}
		if n := len(rounds); n == 0 || rounds[n-1].Epochs != p.Epochs {
			rounds = append(rounds, figures.RateRound{Epochs: p.Epochs})
		}
		errors := &rounds[len(rounds)-1].Errors
		*errors = slices.Insert(*errors, 0, outcome.SurvivalError{Survival: p.Survival, Error: p.Validation})
	}
	headline := fmt.Sprintf("Best survival probability of the last block: %g (%g to %g)", answer.Best, answer.Low, answer.High)
	return figures.FindRate(figures.OfRuns(list), headline, answer.Best, answer.Low, answer.High, rounds...)
}

// replayRates searches on the recorded sweeps.
func replayRates(cmd *cobra.Command, folder, format string) error {
	list, err := runs.List(folder)
	if len(list) == 0 {
		return cmp.Or(err, fmt.Errorf("there are no runs in %s", folder))
	}
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "note:", err)
	}
	cases, err := findrate.Replay(list)
	if err != nil {
		return err
	}
	if err := findrate.WriteCases(cmd.OutOrStdout(), format, cases); err != nil {
		return err
	}
	_, err = fmt.Fprintf(aside(cmd, format), "\n%s\n", findrate.Summary(cases))
	return err
}
