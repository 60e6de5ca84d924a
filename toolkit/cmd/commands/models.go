package commands

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/runs"
)

func modelsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "models",
		Short: "List the trained networks in data/models, with the errors of each",
		Long: `List the trained networks in data/models, with the errors that each file records. eval measures them
again; export adds a network.`,
		Args: cobra.NoArgs,
	}
	format := formatFlag(cmd)
	folder := modelsFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// A broken file is reported after the others are listed.
		list, broken := models.List(*folder)
		if err := models.Table(cmd.OutOrStdout(), list, *format); err != nil {
			return err
		}
		return broken
	}
	return cmd
}

func evalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "eval RUN|FILE...",
		Short: "Print the error of a run or of a network's file on the validation and test images",
		Long: `Print the error on the validation and test images: of a run, by its name or folder; or of a network in a
safetensors file, as export writes it, by the file's path with or without the extension. If no run has the
name, it is looked up in data/models.

A network's file records the errors measured when it was trained, and eval says whether they are the same
here. The data are those of its recipe, split as in its training. A file without a recipe, from elsewhere, must
be turned into a run first: stochdepth import FILE --run NAME --recipe RECIPE.

With --passes the probabilities that the network gives for the test images are rated too: error, log loss,
expected calibration error, and the error if the least confident images are left out; once with all blocks
open and scaled, once as the mean over that many passes in which blocks are open at random, as in training.
Several networks are rated each by itself, and together as an ensemble.`,
		Example: "  stochdepth eval mine\n  stochdepth eval mine --checkpoint last\n  stochdepth eval data/models/NAME\n" +
			"  stochdepth eval quickstart/20-linear-0.5-s1 --passes 32 --out doubt.png",
		Args: cobra.MinimumNArgs(1),
	}
	passes := cmd.Flags().Int("passes", 0, "also rate the probabilities, over that many passes with blocks drawn at random")
	seed := cmd.Flags().Int64("seed", 1, "of these draws")
	out := cmd.Flags().String("out", "", "also draw the reliability diagram into this file (.png, .svg or .pdf), with --passes")
	open := trainedFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case cmd.Flags().Changed("passes") && *passes < 1:
			return fmt.Errorf("--passes %d: the number of passes must be at least 1", *passes)
		case *out != "" && *passes == 0:
			return errors.New("--out draws how far the probabilities can be trusted: add --passes 32")
		case len(args) > 1 && *passes == 0:
			return errors.New("several networks are rated together with --passes 32; without it, name one run or file")
		}
		var nets []*network.Opened
		for _, name := range args {
			net, validation, test, err := open(cmd.OutOrStdout(), name)
			if err != nil {
				return err
			}
			if err := printErrors(cmd, net, validation, test); err != nil {
				return err
			}
			nets = append(nets, net)
		}
		if *passes == 0 {
			return nil
		}
		fmt.Fprintln(cmd.OutOrStdout())
		return printDoubt(cmd, args, nets, *passes, *seed, *out)
	}
	return cmd
}

// trainedFlags adds the flags of a command on trained networks. The returned function opens a run or a file, writes what is
// known of it, and returns its recorded errors, or NaN.
func trainedFlags(cmd *cobra.Command) func(about io.Writer, name string) (net *network.Opened, validation, test float64, err error) {
	restore := restoreFlags(cmd)
	folder := modelsFlag(cmd)
	return func(about io.Writer, name string) (net *network.Opened, validation, test float64, err error) {
		unknown := math.NaN()
		runsFolder, _ := cmd.Flags().GetString("runs")
		file, isFile := models.Find(*folder, name)
		dir, _ := runs.Locate(runsFolder, name)
		switch {
		case !isDir(dir) && isFile:
			if cmd.Flags().Changed("checkpoint") {
				return nil, unknown, unknown, fmt.Errorf("%s is one network: --checkpoint chooses between those of a run, leave it out", file)
			}
			root, _ := cmd.Flags().GetString("data-root")
			net, err := openFile(about, file, root)
			if err != nil {
				return nil, unknown, unknown, err
			}
			return net, net.Info.ValidationError, net.Info.TestError, nil
		case !isDir(dir):
			return nil, unknown, unknown, fmt.Errorf("there is no run and no network %s: `stochdepth runs` lists the runs, "+
				"`stochdepth models` the networks in %s", name, *folder)
		}
		r, err := restore(name)
		if err != nil {
			if _, none := os.Stat(filepath.Join(dir, "checkpoint")); none != nil && isFile {
				err = fmt.Errorf("the run %s has no checkpoint here (checkpoints are not kept in git), "+
					"but there is a network with its name: stochdepth eval %s", name, file)
			}
			return nil, unknown, unknown, err
		}
		fmt.Fprintf(about, "%s, checkpoint %s, step %d\n", say.Shown(r.run.Name), r.checkpoint, r.Info.Step)
		return r.Opened, unknown, unknown, nil
	}
}

// openFile opens a network's file and writes what it says.
func openFile(about io.Writer, path, dataRoot string) (*network.Opened, error) {
	b, err := backend.Open()
	if err != nil {
		return nil, err
	}
	net, err := network.OpenFile(b, path, dataRoot)
	if err != nil {
		return nil, err
	}
	describeNetwork(about, net.Info)
	printNotes(about, net.Notes)
	return net, nil
}

// describeNetwork prints a line about a network's file.
func describeNetwork(w io.Writer, info models.Info) {
	parts := []string{fmt.Sprintf("%s: %s, %d layers", info.Path, info.Recipe.Dataset, info.Recipe.Depth)}
	if info.Whole > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d blocks (%s)", len(info.Kept), info.Whole, say.Enumerate(info.Kept)))
	}
	if info.Run != "" {
		parts = append(parts, "run "+info.Run)
	}
	if !math.IsNaN(info.Epoch) {
		parts = append(parts, fmt.Sprintf("epoch %.4g", info.Epoch))
	}
	parts = append(parts, fmt.Sprintf("seed %d", info.Recipe.Seed))
	if info.Commit != "" {
		parts = append(parts, "commit "+info.Commit)
	}
	fmt.Fprintln(w, strings.Join(parts, ", "))
}

// printErrors prints a network's errors on the validation and test images beside the recorded errors in percent, which are
// NaN if there are none.
func printErrors(cmd *cobra.Command, net *network.Opened, validation, test float64) error {
	for _, part := range []struct {
		name     string
		images   dataset.View
		recorded float64
	}{{"validation", net.Data.Validation, validation}, {"test", net.Data.Test, test}} {
		score, err := net.Evaluate(cmd.Context(), part.images)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%-10s  error %6.2f %%  loss %.4f  (%d images)%s\n", part.name, score.Error, score.Loss,
			part.images.Len(), besideRecord(score.Error, part.recorded, part.images.Len()))
	}
	return nil
}

// besideRecord says whether the error measured on some images is the recorded one, both in percent: "" if none is recorded.
func besideRecord(measured, recorded float64, images int) string {
	count := int(math.Round((measured - recorded) / 100 * float64(images)))
	switch {
	case math.IsNaN(recorded):
		return ""
	case math.Abs(measured-recorded) < 1e-6:
		return fmt.Sprintf("  as recorded: %.2f %%", recorded)
	}
	more := "more"
	if measured < recorded {
		more, count = "fewer", -count
	}
	noun := "images"
	if count == 1 {
		noun = "image"
	}
	return fmt.Sprintf("  recorded: %.2f %%, here %d %s %s wrong", recorded, count, more, noun)
}
