package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/backend"
	"stochdepth/toolkit/project"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/training"
)

// recipeFlags are the flags that set a recipe's keys, besides --set, in the order of the help.
var recipeFlags = []struct{ flag, key, help string }{
	{"dataset", "dataset", "shapes, cifar10, cifar100 or svhn"},
	{"depth", "depth", "layers, 6N+2"},
	{"death-rate", "death_rate", "1 - p_L; 0 is constant depth"},
	{"rule", "rule", "survival rule: linear, uniform or list"},
	{"epochs", "epochs", "passes over the training images"},
	{"batch-size", "batch_size", "images in a minibatch"},
	{"learning-rate", "learning_rate", "before the first milestone"},
	{"augment", "augment", "random shift and flip: true or false"},
	{"form", "form", "survivors computes open blocks only; resnet is the textbook form"},
	{"dtype", "dtype", "float32, bfloat16 or float64"},
	{"seed", "seed", "of all random draws"},
}

func trainCommand() *cobra.Command {
	var recipeName, name, dataRoot, runsRoot string
	var sets []string
	var maxTime time.Duration
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Make a run, or go on with one",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			recipe, err := recipeOf(cmd, recipeName, sets)
			if err != nil {
				return err
			}
			if name == "" {
				name = defaultName(recipe)
			}
			b, err := backend.Open()
			if err != nil {
				return err
			}
			last := time.Time{}
			run, err := training.Train(cmd.Context(), b, training.Options{
				Dir: filepath.Join(runsRoot, name), Recipe: recipe, DataRoot: dataRoot, MaxTime: maxTime,
				OnProgress: func(p training.Progress) {
					if p.Row != nil || time.Since(last) > 10*time.Second {
						last = time.Now()
						fmt.Printf("%s epoch %d/%d step %d/%d loss %.4f error %.2f %% open %.1f/%d %.2f steps/s left %s\n", p.Phase, p.Epoch, p.Epochs, p.Step, p.Steps, p.Loss, p.Error, p.Open, p.Blocks, p.StepsPerSecond, p.Remaining.Round(time.Second))
						if p.Row != nil {
							fmt.Printf("   validation %.2f %% test %.2f %%\n", p.Row.ValidationError, p.Row.TestError)
						}
					}
				},
			})
			_ = run
			if errors.Is(err, training.ErrStopped) {
				fmt.Fprintln(os.Stderr, err)
				return nil
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&recipeName, "recipe", "shapes", "a preset or a recipe file")
	flags.StringVar(&name, "run", "", "name of the run's folder")
	for _, f := range recipeFlags {
		flags.String(f.flag, "", f.help)
	}
	flags.StringArrayVar(&sets, "set", nil, "any key of the recipe, as key=value; may be repeated")
	flags.StringVar(&dataRoot, "data-root", "", "folder with the data set's unpacked files")
	root, _ := project.Root()
	flags.StringVar(&runsRoot, "runs", filepath.Join(root, "data", "runs"), "folder of the run folders")
	flags.DurationVar(&maxTime, "max-time", 0, "stop cleanly after so long, as 90m")
	return cmd
}

func defaultName(r runs.Recipe) string {
	return fmt.Sprintf("%s-%d-%s-%g-seed%d", r.Dataset, r.Depth, r.Rule, r.DeathRate, r.Seed)
}
