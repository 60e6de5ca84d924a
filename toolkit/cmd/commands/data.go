package commands

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/dataset/pictures"
	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/runs/recipes"
)

func dataCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "data", Short: "Download and check data sets, list your pictures"}
	cmd.AddCommand(dataGetCommand(), dataVerifyCommand(), dataIndexCommand())
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
		if dataset.IsFolder(args[0]) {
			return fmt.Errorf("%s is your own pictures: there is nothing to download, `stochdepth data index DIR` lists them", args[0])
		}
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
		Long: `Check the files of a data set. Of a folder of pictures (folder, with --data-root), each is decoded and packed, which
training then need not do.`,
		Args: cobra.ExactArgs(1),
	}
	root := dataRootFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if dataset.IsFolder(args[0]) { // shows how far it is, and can be interrupted
			recipe := recipes.Default()
			recipe.Dataset = args[0]
			if _, err := network.PrepareData(cmd.Context(), recipe, *root); err != nil {
				return err
			}
		}
		report, err := dataset.Verify(args[0], *root)
		for _, line := range report {
			fmt.Fprintln(cmd.OutOrStdout(), line)
		}
		return err
	}
	return cmd
}

func dataIndexCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "index DIR",
		Short: "List what a folder of pictures would give, class by class",
		Long: `List what --dataset folder reads from a folder of pictures, class by class: how many pictures each part has, the size
of their files, and the smallest and the largest of them in pixels. Only the beginning of each file is read.`,
		Example: "  stochdepth data index my-pictures",
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		folder, err := pictures.Index(args[0])
		if err != nil {
			return err
		}
		train, validation, test := dataset.PartsOf(folder)
		out := cmd.OutOrStdout()
		unreadable := writeIndex(out, folder)
		fmt.Fprintf(out, "\nimages: %s for training, %s for validation, %s for test\n",
			say.Grouped(train), say.Grouped(validation), say.Grouped(test))
		printNotes(out, folder.Notes)
		if validation == 0 || test == 0 {
			fmt.Fprintln(out, "A training refuses this folder:", dataset.TooFewPictures+".")
		}
		for _, file := range unreadable {
			fmt.Fprintln(out, "cannot be read:", file)
		}
		if len(unreadable) > 0 {
			fmt.Fprintln(out, "A training stops at these, or passes over them with --skip-damaged; "+
				"stochdepth data verify folder --data-root DIR decodes all pictures, and finds those that are cut short.")
		}
		return nil
	}
	return cmd
}

// writeIndex writes a line for each class, and returns the files that cannot be read, with the reasons.
func writeIndex(w io.Writer, folder *pictures.Folder) (unreadable []string) {
	for _, stray := range folder.Strays {
		unreadable = append(unreadable, say.Shown(stray)+" is no picture")
	}
	head := []string{"class"}
	for _, part := range folder.Parts {
		head = append(head, part.Name)
	}
	lines, all := [][]string{append(head, "MB", "smallest", "largest")}, pictures.Sizes{}
	line := func(name string, s pictures.Sizes, count func(pictures.Part) int) {
		cells := []string{say.Shown(name)}
		for _, part := range folder.Parts {
			cells = append(cells, say.Grouped(count(part)))
		}
		lines = append(lines, append(cells, fmt.Sprintf("%.1f", float64(s.Bytes)/1e6),
			fmt.Sprintf("%dx%d", s.Least.X, s.Least.Y), fmt.Sprintf("%dx%d", s.Most.X, s.Most.Y)))
	}
	for class, s := range folder.Sizes() {
		line(folder.Classes[class], s, func(part pictures.Part) int { return len(part.Classes[class]) })
		unreadable = append(unreadable, s.Unreadable...)
		all.Join(s)
	}
	line("in all", all, pictures.Part.Len)
	fmt.Fprint(w, say.Aligned(lines, func(column int) bool { return column > 0 }))
	return unreadable
}
