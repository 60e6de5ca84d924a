// Command stochdepth trains residual networks with stochastic depth and looks after their runs.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/backend"
)

func main() {
	backend.TuneAllocator()
	// The first signal stops the work at a checkpoint; a second one ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "stochdepth:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "stochdepth",
		Short:         "Deep networks with stochastic depth (Huang et al. 2016), trained with GoMLX and XLA",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(trainCommand())
	return root
}
