// Package commands is the command line, stochdepth. It only calls: the logic is in the toolkit's packages. A program that
// registers blocks, rules, schedules or data sets of its own and then calls [Main] has all commands for them, sweeps included.
package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/internal/stopping"
	"stochdepth/toolkit/runs/sweep"
)

// Main runs the command that the program's arguments ask for, and ends the program with its status. The errors are those of
// what the program has registered of its own, nil or not: commands.Main(depth.RegisterRule("mine", rule)).
func Main(registered ...error) {
	if err := errors.Join(registered...); err != nil {
		printError(os.Stderr, err)
		os.Exit(1)
	}
	// The first signal stops the work at a checkpoint, as a closed terminal does; a second one ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	root := command()
	root.SetArgs(bareAugment(os.Args[1:]))
	ctx = stopping.Hangup(ctx)
	if cmd, err := root.ExecuteContextC(ctx); err != nil {
		if onlyInterrupted(ctx, err) {
			err = errors.New("stopped before the work was done: start the same command again")
		}
		printError(os.Stderr, explainOutside(cmd, err))
		os.Exit(sweep.ExitCode(err))
	}
}

// onlyInterrupted reports whether an error only says that a signal ended the work, or a process that did a part of it.
func onlyInterrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && !errors.Is(err, sweep.ErrStopped) && (errors.Is(err, context.Canceled) || errors.As(err, new(*exec.ExitError)))
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
	root.SetFlagErrorFunc(flagError)
	root.SetOut(escaping{os.Stdout})
	root.SetErr(escaping{os.Stderr})
	root.AddCommand(doctorCommand(), dataCommand(), summaryCommand(), trainCommand(), findRateCommand(), watchCommand(), evalCommand(),
		pruneCommand(), sensitivityCommand(), runsCommand(), compareCommand(), modelsCommand(), exportCommand(), importCommand(), figuresCommand(),
		pagesCommand(), ratesCommand(), sweepCommand(), benchCommand(), programCommand())
	helpCommand(root)
	completionCommand(root)
	addCompletions(root)
	explainUsage(root)
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

// dataRootFlag adds the flag --data-root, the folder of a data set's files, and --skip-damaged for a folder of pictures.
func dataRootFlag(cmd *cobra.Command) *string {
	root := cmd.Flags().String("data-root", "",
		"folder with the data set's unpacked files (default data/cache), or of your pictures")
	skip := cmd.Flags().Bool("skip-damaged", false,
		"pass over pictures in --data-root that cannot be read, until a file there changes")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		switch {
		case !*skip:
			return nil
		case *root == "":
			return errors.New("--skip-damaged is about your own pictures: name their folder by --data-root")
		}
		return dataset.SkipDamaged(*root)
	}
	return root
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
