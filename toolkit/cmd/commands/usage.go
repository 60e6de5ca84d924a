package commands

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

// explainUsage makes the errors of a command, and of those below it, about commands and arguments sentences that say what to
// do, in place of Cobra's.
func explainUsage(cmd *cobra.Command) {
	check := cmd.Args
	if !cmd.Runnable() { // it has commands only, and Cobra shows its help whatever follows
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		cmd.DisableFlagsInUseLine = true
		check = cobra.NoArgs
	}
	if check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			path := cmd.CommandPath()
			switch err := check(cmd, args); {
			case err == nil:
				return nil
			case cmd.HasAvailableSubCommands():
				return noCommand(cmd, args[0])
			case !strings.Contains(cmd.Use, " "):
				return fmt.Errorf("`%s` takes no arguments, but %q is one: `%[1]s --help` says what it takes", path, args[0])
			}
			n := len(args)
			return fmt.Errorf("the command is `%s`, but %d argument%s %s given: `%s --help` says more",
				cmd.UseLine(), n, say.Plural(n), say.IsOrAre(n), path)
		}
	}
	for _, sub := range cmd.Commands() {
		explainUsage(sub)
	}
}

// helpCommand makes Cobra's `help` refuse a command that is not there, for which it shows the program's own help.
func helpCommand(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, _ := root.Find([]string{"help"})
	show := help.Run
	help.Run, help.RunE = nil, func(cmd *cobra.Command, words []string) error {
		if found, rest, _ := root.Find(words); found.HasAvailableSubCommands() && len(rest) > 0 {
			return noCommand(found, rest[0])
		}
		show(cmd, words)
		return nil
	}
}

// noCommand is the error for a word that is not one of a command's commands.
func noCommand(cmd *cobra.Command, word string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	return fmt.Errorf("there is no command `%s %s`%s: `%[1]s --help` lists the commands", cmd.CommandPath(), word,
		say.DidYouMean(word, names))
}

// valueKinds says what a flag's value is, by its type.
var valueKinds = map[string]string{
	"bool": "true or false", "duration": "a time such as 90m or 8h", "int": "a whole number", "int64": "a whole number",
	"float64": "a number", "intSlice": "a whole number, or several with commas between them",
	"float64Slice": "a number, or several with commas between them",
}

// flagError says in one sentence what is wrong with a flag, and what to do.
func flagError(cmd *cobra.Command, err error) error {
	var (
		unknown   *pflag.NotExistError
		valueless *pflag.ValueRequiredError
		invalid   *pflag.InvalidValueError
		malformed *pflag.InvalidSyntaxError
	)
	path := cmd.CommandPath()
	words := cmd.Flags().Args() // before the flag
	switch {
	case cmd.HasAvailableSubCommands() && len(words) > 0:
		return noCommand(cmd, words[0])
	case errors.As(err, &unknown):
		shown, name := "--"+unknown.GetSpecifiedName(), unknown.GetSpecifiedName()
		if letters := unknown.GetSpecifiedShortnames(); letters != "" { // perhaps a name with one dash
			name, _, _ = strings.Cut(letters, "=")
			shown = "-" + name
		}
		return fmt.Errorf("`%s` has no flag %s%s: `%[1]s --help` lists its flags", path, shown, nearFlags(cmd, name))
	case errors.As(err, &valueless):
		return fmt.Errorf("--%s needs a value: `%s --help` says which", valueless.GetFlag().Name, path)
	case errors.As(err, &invalid):
		flag, value := "--"+invalid.GetFlag().Name, invalid.GetValue()
		kind, ok := valueKinds[invalid.GetFlag().Value.Type()]
		switch {
		case say.IsWhole(value) && kind == valueKinds["int"]:
			return say.TooLarge(flag, value)
		case ok:
			return fmt.Errorf("%s is %q: it must be %s", flag, value, kind)
		}
	case errors.As(err, &malformed):
		return fmt.Errorf("%q is no flag: `%s --help` lists the flags", malformed.GetSpecifiedFlag(), path)
	}
	return err
}

// nearFlags suggests the command's flags, and if it has the flag --set the recipe's keys, that are nearest to a name.
func nearFlags(cmd *cobra.Command, name string) string {
	shown := map[string]string{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { shown[f.Name] = "--" + f.Name })
	if shown["set"] != "" {
		for _, key := range recipes.Settable() {
			if flag := strings.ReplaceAll(key, "_", "-"); shown[flag] == "" {
				shown[flag] = "--set " + key + "=VALUE"
			}
		}
	}
	near := say.Nearest(name, slices.Sorted(maps.Keys(shown)))
	if len(near) == 0 {
		return ""
	}
	for i := range near {
		near[i] = shown[near[i]]
	}
	return fmt.Sprintf(" (did you mean %s?)", strings.Join(near, " or "))
}
