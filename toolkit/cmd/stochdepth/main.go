// Command stochdepth trains residual networks with stochastic depth and manages their runs, data
// and figures. It only calls: the logic is in the toolkit's packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/internal/stopping"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/runs/recipes"
	"stochdepth/toolkit/runs/sweep"
)

func main() {
	// The first signal stops the work at a checkpoint, as a closed terminal does; a second one ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	root := command()
	root.SetArgs(bareAugment(os.Args[1:]))
	if cmd, err := root.ExecuteContextC(stopping.Hangup(ctx)); err != nil {
		printError(os.Stderr, explainOutside(cmd, err))
		os.Exit(sweep.ExitCode(err))
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "stochdepth",
		Short:         "Deep networks with stochastic depth (Huang et al. 2016), trained with GoMLX and XLA",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       "known when asked for", // the template finds it out only then, since that takes a moment
	}
	cobra.AddTemplateFunc("versions", project.Versions)
	root.SetVersionTemplate("{{versions}}")
	root.SetOut(escaping{os.Stdout})
	root.SetErr(escaping{os.Stderr})
	root.AddCommand(doctorCommand(), dataCommand(), summaryCommand(), trainCommand(), watchCommand(), evalCommand(), runsCommand(),
		compareCommand(), modelsCommand(), exportCommand(), importCommand(), figuresCommand(), pagesCommand(), ratesCommand(), sweepCommand(),
		benchCommand(), programCommand())
	completionCommand(root)
	addCompletions(root)
	return root
}

// runsFlag adds the flag --runs, the folder of the run folders.
func runsFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("runs", inProject("data", "runs"), "folder of the run folders")
}

// modelsFlag adds the flag --models, the folder of the trained networks' files.
func modelsFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("models", inProject("data", "models"), "folder of the trained networks")
}

// formatFlag adds the flag --format of a table.
func formatFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("format", "table", strings.Join(say.TableFormats, ", "))
}

// inProject returns a path in the project's folder, or in the working directory if that is outside the project.
func inProject(path ...string) string {
	root, _ := project.Root()
	return filepath.Join(append([]string{root}, path...)...)
}

// explainOutside adds to a command's error that the project's folder was not found, if one of the command's default folders
// is missing for that reason.
func explainOutside(cmd *cobra.Command, err error) error {
	_, why := project.Root()
	missing := false
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if first, _, _ := strings.Cut(filepath.ToSlash(f.DefValue), "/"); first == "data" && !f.Changed { // a path from inProject
			_, err := os.Stat(f.DefValue)
			missing = missing || err != nil
		}
	})
	if why == nil || !missing || errors.Is(err, sweep.ErrStopped) {
		return err
	}
	return fmt.Errorf("%w (%w)", err, why)
}

// dataRootFlag adds the flag --data-root, the folder of a data set's files.
func dataRootFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("data-root", "", "folder with the data set's unpacked files (default data/cache), or of your pictures")
}

// skipDamagedFlag adds the flag --skip-damaged of commands that may pack pictures.
func skipDamagedFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("skip-damaged", false, "pass over pictures that cannot be read, until a file of the folder changes")
}

// prepareData packs the pictures of a recipe's data set, if it is a folder, and prints notes about them.
func prepareData(cmd *cobra.Command, recipe recipes.Recipe, dataRoot string, skipDamaged bool) error {
	notes, err := network.PrepareData(cmd.Context(), recipe, dataRoot, skipDamaged)
	if err == nil {
		printNotes(cmd.ErrOrStderr(), notes)
	}
	return err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
