package main

import (
	"github.com/spf13/cobra"

	"stochdepth/toolkit/cmd/internal/summary"
)

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
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		recipe, err := recipeOf(nil)
		if err != nil {
			return err
		}
		s, err := summary.Of(recipe)
		if err != nil {
			return err
		}
		return s.Write(cmd.OutOrStdout())
	}
	return cmd
}
