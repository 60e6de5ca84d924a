package main

import (
	"github.com/spf13/cobra"

	"stochdepth/toolkit/network/models"
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
