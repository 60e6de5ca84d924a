package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/progress"
)

func dataCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "data", Short: "Download and check data sets"}
	cmd.AddCommand(dataGetCommand(), dataVerifyCommand())
	return cmd
}

func dataGetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get NAME",
		Short: "Download cifar10, cifar100 or svhn from its official address and check it",
		Long: `Download a data set, check it against its published checksum and unpack it. An interrupted download continues where
it stopped. An archive that you already have, such as cifar-10-binary.tar.gz, is used if it lies in the folder of data.`,
		Args: cobra.ExactArgs(1),
	}
	root := dataRootFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		bar, began := progress.New(0, args[0], "bytes"), false
		err := dataset.Get(cmd.Context(), args[0], *root, func(done, total int64, what string) {
			began = true
			bar.SetTotal(total)
			bar.Set(done, what)
		})
		switch {
		case err == nil && !began && args[0] == "shapes":
			fmt.Fprintln(cmd.OutOrStdout(), "shapes are drawn when they are needed: there is nothing to download")
		case err == nil && !began:
			fmt.Fprintf(cmd.OutOrStdout(), "%s is there already; `stochdepth data verify %[1]s` checks its files\n", args[0])
		case err == nil:
			bar.Done("there, and checked")
		case began:
			bar.Done("not finished")
		}
		return err
	}
	return cmd
}

func dataVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify NAME",
		Short: "Check the files of a data set",
		Args:  cobra.ExactArgs(1),
	}
	root := dataRootFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		report, err := dataset.Verify(args[0], *root)
		for _, line := range report {
			fmt.Fprintln(cmd.OutOrStdout(), line)
		}
		return err
	}
	return cmd
}
