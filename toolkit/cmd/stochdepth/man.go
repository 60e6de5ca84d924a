package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/project"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man FOLDER",
		Short: "Write the manual pages of all commands into a folder",
		Long: `Write the manual pages of all commands, in section 1, into a folder. They say what --help says. man finds
them in a folder man1 inside one that MANPATH names or manpath lists.`,
		Example: "  stochdepth man ~/.local/share/man/man1 && man stochdepth-train",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := disk.MkdirAll(args[0]); err != nil {
				return fmt.Errorf("cannot make the folder of the manual pages: %w", err)
			}
			root := cmd.Root()
			portable(root)
			root.DisableAutoGenTag = true // no line about the day they were written
			if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "stochdepth", Manual: "stochdepth"}, args[0]); err != nil {
				return fmt.Errorf("cannot write the manual pages: %w", err)
			}
			pages, _ := filepath.Glob(filepath.Join(args[0], "stochdepth*.1"))
			fmt.Fprintf(cmd.OutOrStdout(), "%d manual pages written to %s\n", len(pages), args[0])
			return nil
		},
	}
}

// portable writes defaults that are folders of this machine as they are in any checkout.
func portable(cmd *cobra.Command) {
	root, err := project.Root()
	if err != nil {
		return
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if inside, err := filepath.Rel(root, f.DefValue); err == nil && filepath.IsAbs(f.DefValue) && filepath.IsLocal(inside) {
			f.DefValue = inside
		}
	})
	for _, sub := range cmd.Commands() {
		portable(sub)
	}
}
