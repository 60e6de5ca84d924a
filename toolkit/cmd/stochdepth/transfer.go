package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/backend"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/models"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/tensorboard"
	"stochdepth/toolkit/training"
)

func exportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export RUN ...",
		Short: "Write a run's network as a safetensors file, for PyTorch and others, or its log for TensorBoard",
		Long: `Write a run's network as a safetensors file, for PyTorch and others, and for eval.

The file's metadata say what the network is: recipe, run, checkpoint, epoch, its errors in percent, seed,
number of training images, commit and machine. The same network gives the same bytes.

With --tensorboard FOLDER the log is written instead, of one or more runs or of all whose names match a pattern:
losses, errors, learning rate, open blocks and gradients by step, each run in a folder of its own name. A run that is
still training is written up to its newest row. Write it again later: a TensorBoard that is open shows what is new.`,
		Example: `  stochdepth export mine
  stochdepth export mine -o data/models/mine.safetensors && stochdepth models --readme
  stochdepth export 'quickstart-*' --tensorboard /tmp/logs && tensorboard --logdir /tmp/logs`,
		Args: cobra.MinimumNArgs(1),
	}
	logs := cmd.Flags().String("tensorboard", "", "write the log instead, as TensorBoard's event files in this folder")
	out := cmd.Flags().StringP("out", "o", "", "the file (default RUN.safetensors)")
	restore := restoreFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *logs != "" {
			return exportLogs(cmd, args, *logs)
		}
		if len(args) > 1 {
			return fmt.Errorf("%d runs cannot be one network: name one, or write their logs with --tensorboard FOLDER", len(args))
		}
		if err := files.Check(*out); err != nil {
			return err
		}
		r, err := restore(args[0])
		if err != nil {
			return err
		}
		if *out == "" {
			*out = filepath.Base(r.run.Dir) + ".safetensors"
		}
		info := models.OfRun(r.run, r.step, r.data.Train.Len())
		if err := r.model.Export(*out, info.Metadata()); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s, checkpoint %s, step %d: written to %s\n", runs.Shown(r.run.Name), info.Checkpoint, r.step, *out)
		return nil
	}
	return cmd
}

// exportLogs writes the logs of the named runs as event files of TensorBoard.
func exportLogs(cmd *cobra.Command, names []string, folder string) error {
	for _, flag := range []string{"out", "checkpoint"} {
		if cmd.Flags().Changed(flag) {
			return fmt.Errorf("--%s is about a network, and --tensorboard writes logs: leave one of them out", flag)
		}
	}
	for _, name := range names {
		list, err := named(folderOf(cmd, "runs"), name)
		if err != nil {
			return err
		}
		for _, run := range list {
			path, err := tensorboard.Save(folder, run)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
		}
	}
	return nil
}

func importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a run from a safetensors file",
		Long: `Make a run from a safetensors file with the names and shapes that export writes. Its recipe is the one in
the file, unless flags give another. The run can then be evaluated, or trained from its first epoch on.`,
		Args: cobra.ExactArgs(1),
	}
	recipeOf := recipeFlags(cmd)
	name := cmd.Flags().String("run", "", "name of the new run")
	_ = cmd.MarkFlagRequired("run")
	folder, dataRoot := runsFlag(cmd), dataRootFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, err := runs.Folder(*folder, *name)
		if err != nil {
			return err
		}
		var recipe runs.Recipe
		var found bool
		if !recipeGiven(cmd) {
			recipe, found, err = training.ImportedRecipe(args[0])
		}
		if err == nil && !found {
			recipe, err = recipeOf()
		}
		if err != nil {
			return err
		}
		data, err := training.LoadData(recipe, *dataRoot)
		if err != nil {
			return err
		}
		b, err := backend.Open()
		if err != nil {
			return err
		}
		if err := training.ImportRun(b, args[0], dir, recipe, data); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "run %s made from %s\n", *name, args[0])
		return nil
	}
	return cmd
}
