package commands

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/cmd/internal/summary"
	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/internal/stopping"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

func trainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Make a run, or continue one",
		Long: `Make a run, or continue one that was stopped.

A run is defined by a recipe: a preset (--recipe cifar10) or a file (--recipe my.json), changed by flags
and by --set key=value. Without --recipe the preset of the --dataset is used, or else shapes. The run's
folder, data/runs/NAME, then holds the recipe, one row per evaluation, the result and the checkpoints.
The same command continues a run that was stopped by a signal, by --max-time or by a crash.

With --from RUN or FILE a new run begins with the weights of another one (its best checkpoint) or of a file that import
takes, to fine-tune them: the network is theirs, data and training are the recipe's, and the last layer begins anew if
the classes are others. --set freeze_groups=2 leaves the stem and two groups of blocks as they are.

With --devices 2 two devices share each minibatch, and the result is the same as with one except for rounding; the
number may change when the run continues. A minibatch that they cannot share equally, such as the last of an epoch,
stays on the first device, and so does evaluation. (XLA shows a CPU as 4 devices: they share its cores and save no time.)`,
		Example: `  stochdepth train                                          # shapes, nothing to download
  stochdepth train --dataset cifar10 --depth 20 --death-rate 0.5 --epochs 12 --run mine
  stochdepth train --dataset folder --data-root my-pictures
  stochdepth train --from resnet18.safetensors --run flowers --dataset folder --data-root flowers --epochs 10
  stochdepth train --recipe cifar10 --set milestones=0.6,0.8 --max-time 8h`,
		Args: cobra.NoArgs,
	}
	recipeOf := recipeFlags(cmd)
	name := cmd.Flags().String("run", "", "name of the run (default: from data set, depth, rule, death rate and seed)")
	maxTime := cmd.Flags().Duration("max-time", 0, "stop cleanly at a checkpoint after this long, such as 90m or 8h")
	devices := cmd.Flags().Int("devices", 1, "share each training step between this many devices, such as the GPUs of this machine")
	from := cmd.Flags().String("from", "", "begin with the weights of this run or safetensors file")
	folder, dataRoot := runsFlag(cmd), dataRootFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var begin beginning
		if *from != "" {
			var err error
			if begin, err = beginningOf(cmd, *from, *name, *folder); err != nil {
				return err
			}
		}
		recipe, err := recipeOf(begin.origin)
		if err != nil {
			return err
		}
		if err := say.CheckRange("--devices", *devices, 1, training.MaxDevices); err != nil {
			return err
		}
		if *name == "" {
			*name = defaultName(recipe.Recipe())
		}
		dir, err := runs.Folder(*folder, *name)
		if err != nil {
			return err
		}
		if err := notNegative("--max-time", *maxTime); err != nil {
			return err
		}
		b, err := backend.Open()
		if err != nil {
			return err
		}
		if begin.weights != nil {
			notes, err := training.Begin(b, begin.weights, dir, recipe, *dataRoot)
			if err != nil {
				return err
			}
			printNotes(cmd.ErrOrStderr(), notes)
		}
		bar := progress.New(0, *name, "steps")
		run, err := training.Train(stopping.Unread(cmd.Context()), b, training.Options{
			Dir: dir, Recipe: recipe, DataRoot: *dataRoot, MaxTime: *maxTime, Devices: *devices,
			OnNote: func(note string) { bar.Note("note: " + note) },
			OnProgress: func(p training.Progress) {
				if p.Row != nil {
					bar.Note(p.Row.Text())
				}
				p.Show(bar)
			},
		})
		if run != nil { // the run has begun
			bar.Done(run.Outcome())
		}
		return err
	}
	return cmd
}

// notNegative refuses a negative duration of a flag.
func notNegative(flag string, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s %s is negative: give a time such as 90m, or leave it out", flag, d)
	}
	return nil
}

// defaultName names a run by the keys that usually differ between runs.
func defaultName(r recipes.Recipe) string {
	return fmt.Sprintf("%s-%d-%s-seed%d", strings.ReplaceAll(r.Dataset, ":", "-"), r.Depth, r.DepthName(), r.Seed)
}

func summaryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "summary",
		Short: "Show a recipe's network: layers, parameters, arithmetic, memory, steps",
		Long: `Show a recipe's network before it is trained: layers with their shapes, parameters, multiply-adds, the
expected number of open blocks, memory and steps. The flags are those of train.

The memory is the least that training needs; the program and XLA itself need more. stochdepth sweep plan measures
memory and time.`,
		Example: "  stochdepth summary --recipe cifar10\n  stochdepth summary --dataset cifar100 --depth 56 --death-rate 0.3",
		Args:    cobra.NoArgs,
	}
	recipeOf := recipeFlags(cmd)
	dataRoot := dataRootFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		recipe, err := recipeOf(nil)
		if err != nil {
			return err
		}
		s, err := summary.Of(recipe, *dataRoot)
		if err != nil {
			return err
		}
		return s.Write(cmd.OutOrStdout())
	}
	return cmd
}
