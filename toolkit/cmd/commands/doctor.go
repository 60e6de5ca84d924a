package commands

import (
	"github.com/spf13/cobra"

	"stochdepth/toolkit/cmd/internal/doctor"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check the installation, and say what to do about what is missing",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return doctor.Run(cmd.Context(), cmd.OutOrStdout()) },
	}
}
