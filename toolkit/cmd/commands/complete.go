package commands

import (
	"bytes"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"stochdepth/toolkit/cmd/internal/rates"
	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/figures/gallery"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network/analysis"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// choices lists the words that may stand at one place of the command line.
type choices func(cmd *cobra.Command) []string

// argumentChoices are the arguments that a command takes, by its path, and argumentCounts how many of them (0: any number).
var (
	argumentChoices = map[string]choices{
		"rates": rateNames,
		"runs":  runNames, "compare": runNames, "watch": runNames, "export": runNames, "eval": runsAndModels, "prune": runsAndModels, "sensitivity": runsAndModels,
		"data get": downloads, "data verify": downloads, "figures": figureNames,
		"sweep plan": sweepNames, "sweep run": sweepNames, "sweep status": sweepNames, "sweep results": sweepNames,
		"sweep task": sweepNames, "sweep slurm": sweepNames, "sweep kubernetes": sweepNames,
	}
	argumentCounts = map[string]int{"runs": 0, "figures": 0, "export": 0, "compare": 2} // else 1
)

// flagChoices are the values of flags, by name or by command and name.
var flagChoices = map[string]choices{
	"recipe":         func(*cobra.Command) []string { return recipes.PresetNames() },
	"run":            runNames,
	"from":           runNames,
	"figures runs":   runNames,
	"sort":           func(*cobra.Command) []string { return runs.SortKeys() },
	"names":          fixed("own", "torchvision"),
	"zeros":          fixed("last", "both"),
	"format":         func(*cobra.Command) []string { return say.TableFormats },
	"bench format":   fixed("table", "json"),
	"bench peer":     fixed(bench.PeerModes...),
	"prune order":    fixed(analysis.PruneOrders()...),
	"figures format": fixed("png", "svg", "pdf"),
	"figures theme":  fixed("light", "dark"),
	"checkpoint":     fixed(training.Best, training.Last),
	"dataset":        func(*cobra.Command) []string { return dataset.Names() },
	"rule":           keyValues("rule"),
	"block":          keyValues("block"),
	"form":           keyValues("form"),
	"dtype":          keyValues("dtype"),
	"augment":        keyValues("augment"),
}

// addCompletions makes the shell complete arguments, values of flags, folders and recipe keys.
func addCompletions(cmd *cobra.Command) {
	path := strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
	if list, ok := argumentChoices[path]; ok {
		count, counted := argumentCounts[path]
		if !counted {
			count = 1
		}
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if count > 0 && len(args) >= count {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return withPrefix(without(list(cmd), args), prefix), cobra.ShellCompDirectiveNoFileComp
		}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		list, ok := flagChoices[path+" "+f.Name]
		if !ok {
			list, ok = flagChoices[f.Name]
		}
		switch {
		case f.Name == "set" || f.Name == "where":
			_ = cmd.RegisterFlagCompletionFunc(f.Name, completeKey)
		case ok:
			complete := func(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
				switch {
				case f.Name == "recipe" || f.Name == "from": // or a file
					return withPrefix(list(cmd), prefix), cobra.ShellCompDirectiveDefault
				case f.Value.Type() == "stringSlice":
					return withPrefix(afterLastComma(list(cmd), prefix), prefix), cobra.ShellCompDirectiveNoFileComp
				}
				return withPrefix(list(cmd), prefix), cobra.ShellCompDirectiveNoFileComp
			}
			_ = cmd.RegisterFlagCompletionFunc(f.Name, complete)
		case slices.Contains([]string{"runs", "models", "sweeps", "data", "data-root", "tensorboard"}, f.Name):
			_ = cmd.MarkFlagDirname(f.Name)
		}
	})
	for _, sub := range cmd.Commands() {
		addCompletions(sub)
	}
}

// completeKey completes the keys of a recipe, and those values that have names.
func completeKey(_ *cobra.Command, _ []string, prefix string) (list []string, _ cobra.ShellCompDirective) {
	key, _, hasValue := strings.Cut(prefix, "=")
	if hasValue {
		for _, value := range recipes.Choices(strings.ReplaceAll(key, "-", "_")) {
			list = append(list, key+"="+value)
		}
		return withPrefix(list, prefix), cobra.ShellCompDirectiveNoFileComp
	}
	for _, key := range recipes.Settable() {
		list = append(list, key+"=")
	}
	return withPrefix(list, prefix), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// rateNames are the networks of other libraries whose rates are known.
func rateNames(*cobra.Command) []string {
	table, err := rates.Read(inProject("data", "rates.json"))
	if err != nil {
		return nil
	}
	return table.Names()
}

func fixed(list ...string) choices { return func(*cobra.Command) []string { return list } }

func keyValues(key string) choices { return fixed(recipes.Choices(key)...) }

// folderOf returns the folder that a flag names, as given or by default.
func folderOf(cmd *cobra.Command, flag string) string {
	folder, _ := cmd.Flags().GetString(flag)
	return folder
}

func runNames(cmd *cobra.Command) []string {
	folder := folderOf(cmd, "runs")
	if folder == "" { // of figures, whose flag --runs is a list of runs
		folder = filepath.Join(folderOf(cmd, "data"), "runs")
	}
	return typable(runs.Names(folder))
}

func runsAndModels(cmd *cobra.Command) []string {
	files, _ := filepath.Glob(filepath.Join(folderOf(cmd, "models"), "*"+models.Extension))
	return append(runNames(cmd), stems(files)...)
}

func sweepNames(cmd *cobra.Command) []string {
	files, _ := filepath.Glob(filepath.Join(folderOf(cmd, "sweeps"), "*.json"))
	return stems(files)
}

func figureNames(*cobra.Command) []string {
	var names []string
	for _, entry := range gallery.Entries() {
		names = append(names, entry.Name)
	}
	return names
}

// downloads are the data sets that must be downloaded.
func downloads(*cobra.Command) (names []string) {
	for _, set := range dataset.Sets() {
		if !set.Drawn {
			names = append(names, set.Name)
		}
	}
	return names
}

// stems are the names of files without their extensions.
func stems(files []string) []string {
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	return typable(names)
}

// typable leaves out names that cannot be typed.
func typable(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return say.Shown(name) != name })
}

// withPrefix returns the names that begin with what was typed; not every shell selects them itself.
func withPrefix(list []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return !strings.HasPrefix(name, prefix) })
}

// afterLastComma puts the finished part of a list with commas before each name that is not in it yet.
func afterLastComma(list []string, prefix string) []string {
	given := prefix[:strings.LastIndex(prefix, ",")+1]
	list = without(list, strings.Split(given, ","))
	for i := range list {
		list[i] = given + list[i]
	}
	return list
}

func without(list, given []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(given, name) })
}

// completionCommand adds to the help of Cobra's command the line that installs the completion, and corrects its scripts.
func completionCommand(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	cmd, _, _ := root.Find([]string{"completion"})
	cmd.Short = "Make the shell complete commands, flags, and the names of runs, recipes, figures and sweeps"
	cmd.Long = cmd.Short + `.

Put one line into the file that your shell reads at its start:

  ~/.bashrc                     source <(stochdepth completion bash)
  ~/.zshrc, after compinit      source <(stochdepth completion zsh)
  ~/.config/fish/config.fish    stochdepth completion fish | source

In bash this needs the package bash-completion. The shell must find stochdepth: put its folder on the PATH.`
	for shell, generate := range map[string]func(w io.Writer, describe bool) error{
		"fish": root.GenFishCompletion,
		"zsh": func(w io.Writer, describe bool) error {
			if !describe {
				return root.GenZshCompletionNoDesc(w)
			}
			return root.GenZshCompletion(w)
		},
	} {
		sub, _, _ := cmd.Find([]string{shell})
		sub.RunE = func(cmd *cobra.Command, _ []string) error {
			bare, err := cmd.Flags().GetBool("no-descriptions")
			if err != nil {
				return err
			}
			var script bytes.Buffer
			if err := generate(&script, !bare); err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), strings.Replace(script.String(), anyEquals, flagEquals, 1))
			return err
		}
	}
}

// Cobra's scripts take every word with a hyphen before an equals sign, such as a run's name, for a flag with its value.
// But a flag begins with the hyphen.
const anyEquals, flagEquals = "'-.*='", "'^-.*='"
