package commands

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/cmd/internal/tensorboard"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs"
)

func exportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export RUN ...",
		Short: "Write a run's network as a safetensors file, for PyTorch and others, or its log for TensorBoard",
		Long: `Write a run's network as a safetensors file, for PyTorch and others, and for eval.

The file's metadata say what the network is: recipe, run, checkpoint, epoch, its errors in percent, seed,
number of training images, commit and machine. The same network gives the same bytes.

With --names torchvision the tensors have the names of torchvision's ResNets, for networks that are such ResNets; what
multiplies branches at test becomes part of their last batch normalisation. With --names timm they are those of timm,
which has the same names for ResNets, and others for vision transformers.

With --tensorboard FOLDER the logs of runs, or of all runs whose names match a pattern, are written instead: losses,
errors, learning rate, open blocks and gradients by step, each run in a folder with its name. A run that is still
training is written up to its newest row. Export it again later: an open TensorBoard shows the new rows.`,
		Example: `  stochdepth export mine
  stochdepth export mine -o data/models/mine.safetensors && stochdepth pages
  stochdepth export mine --names torchvision
  stochdepth export 'quickstart/*' --tensorboard /tmp/logs && tensorboard --logdir /tmp/logs`,
		Args: cobra.MinimumNArgs(1),
	}
	logs := cmd.Flags().String("tensorboard", "", "write the log instead, as TensorBoard's event files in this folder")
	out := cmd.Flags().StringP("out", "o", "", "the file (default RUN.safetensors, with dashes for slashes)")
	names := cmd.Flags().String("names", "own", "of the tensors: own, torchvision or timm")
	restore := restoreFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains([]string{"own", "torchvision", "timm"}, *names) {
			return fmt.Errorf("--names %q: use own, torchvision or timm", *names)
		}
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
			*out = runs.Dashed(r.run.Name) + ".safetensors"
		}
		write := map[string]func(string, map[string]string) error{"own": r.Export, "torchvision": r.ExportTorchvision,
			"timm": r.ExportTimm}[*names]
		if err := write(*out, r.Info.Metadata()); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s, checkpoint %s, step %d: written to %s\n",
			say.Shown(r.run.Name), r.Info.Checkpoint, r.Info.Step, *out)
		return nil
	}
	return cmd
}

// exportLogs writes the logs of the named runs as event files of TensorBoard.
func exportLogs(cmd *cobra.Command, names []string, folder string) error {
	for _, flag := range []string{"out", "checkpoint", "names"} {
		if cmd.Flags().Changed(flag) {
			return fmt.Errorf("--%s is about a network, and --tensorboard writes logs: leave one of them out", flag)
		}
	}
	var chosen []*runs.Run
	for _, name := range names {
		list, err := findRuns(folderOf(cmd, "runs"), name)
		if err != nil {
			return err
		}
		chosen = append(chosen, list...)
	}
	dirs := make(map[string]string) // by name
	for _, run := range chosen {
		if other, there := dirs[run.Name]; there && other != run.Dir {
			return fmt.Errorf("%s and %s are both named %s, and one would take the other's place: write them into two folders",
				other, run.Dir, run.Name)
		}
		dirs[run.Name] = run.Dir
	}
	for _, run := range chosen {
		path, err := tensorboard.Save(folder, run)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), path)
	}
	return nil
}

func importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a run from a safetensors file",
		Long: `Make a run from a safetensors file with the names and shapes that export writes. Its recipe is the one in
the file, changed by flags and by --set; --recipe replaces it. The run can then be evaluated, or trained from its first
epoch on.

ResNets of torchvision and timm (18 to 152), timm's vision transformers (ViT and DeiT, tiny, small and base) and ResNets
for CIFAR of pytorch_resnet_cifar10 and pytorch-cifar-models are recognised by the names and shapes of their tensors, and
need no recipe. Their depth is constant unless you give a death rate, and then branches are scaled in training. The
normalisation is that of --mean and --std, else of a config.json beside the file (timm's), else the one of that library.
If the data set has other classes, the last layer begins anew.

A recipe that makes a different network from the weights is refused, and so is another seed with CIFAR or SVHN, since
the network would be validated on images that it was trained on. Another data set with the same number of classes,
another death rate or number of epochs is accepted, and the consequences are printed.`,
		Example: `  stochdepth import mine.safetensors --run again
  stochdepth import mine.safetensors --run longer --epochs 300
  stochdepth import resnet50.safetensors --run flowers --dataset folder --data-root pictures
  stochdepth import elsewhere.safetensors --run theirs --recipe cifar10 --depth 20 --death-rate 0`,
		Args: cobra.ExactArgs(1),
	}
	recipeOf := recipeFlags(cmd)
	name := cmd.Flags().String("run", "", "name of the new run")
	elsewhere := elsewhereFlags(cmd)
	folder, dataRoot := runsFlag(cmd), dataRootFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *name == "" {
			return errors.New("the new run needs a name: add --run NAME")
		}
		dir, err := runs.Folder(*folder, *name)
		if err != nil {
			return err
		}
		weights, from, err := elsewhere(args[0])
		if err != nil {
			return err
		}
		recipe, err := recipeOf(from)
		if err != nil {
			return err
		}
		b, err := backend.Open()
		if err != nil {
			return err
		}
		notes, err := training.Begin(b, weights, dir, recipe, *dataRoot)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "run %s made from %s\n", *name, args[0])
		printNotes(cmd.OutOrStdout(), notes)
		elsewhere := ""
		for _, flag := range []string{"runs", "data-root"} {
			if f := cmd.Flags().Lookup(flag); f.Changed {
				elsewhere += " --" + flag + " " + f.Value.String()
			}
		}
		fmt.Fprintf(cmd.OutOrStdout(), "train it on: stochdepth train --run %s%s --recipe %s\n",
			*name, elsewhere, filepath.Join(dir, "recipe.json"))
		return nil
	}
	return cmd
}

// printNotes prints the notes on a network's file, one on each line.
func printNotes(w io.Writer, notes []string) {
	for _, note := range notes {
		fmt.Fprintln(w, "note:", note)
	}
}

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
		printNotes(cmd.ErrOrStderr(), net.Notes)
		return &restored{net, run, *checkpoint}, nil
	}
}
