package commands

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"stochdepth/toolkit/cmd/internal/rates"
)

func ratesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rates [LIBRARY/NETWORK RATE]",
		Short: "Say what a rate of stochastic depth means in other libraries",
		Long: `Say what a rate of stochastic depth ("drop path", "layer drop") means in other libraries. Without arguments,
list the networks that are known. With one and a rate, print the survival probability of each block, for what gates are
drawn, how branches are scaled, what evaluation does, how that was seen, and the settings for it here; with --format csv,
tsv or json the survival probabilities alone (block 0 is every block, where there may be any number).`,
		Example: "  stochdepth rates\n  stochdepth rates timm/convnext_tiny 0.2\n" +
			"  stochdepth rates timm/convnext_tiny 0.2 --format csv",
		Args: cobra.MaximumNArgs(2),
	}
	format := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return fmt.Errorf("say a rate too, such as: stochdepth rates %s 0.2", args[0])
		}
		table, err := rates.Read(inProject("data", "rates.json"))
		if err != nil {
			return err
		}
		if len(args) == 0 {
			return table.List(cmd.OutOrStdout(), *format)
		}
		network, err := table.Find(args[0])
		if err != nil {
			return err
		}
		rate, err := strconv.ParseFloat(args[1], 64)
		switch {
		case rate == 1:
			return fmt.Errorf("a rate is below 1 here (at rate 1 in %s: %s)", network.Name, network.AtRateOne)
		case err != nil || !(rate >= 0 && rate < 1):
			return notRate(args[1])
		}
		if *format != "table" {
			return network.SurvivalTable(cmd.OutOrStdout(), *format, rate)
		}
		return table.Describe(cmd.OutOrStdout(), network, rate)
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) { // a negative rate looks like flags
			text := "-" + unknown.GetSpecifiedShortnames()
			if _, notNumber := strconv.ParseFloat(text, 64); notNumber == nil {
				return notRate(text)
			}
		}
		return flagError(cmd, err)
	})
	return cmd
}

func notRate(text string) error {
	return fmt.Errorf("%q is not a rate: give a number from 0 to below 1, such as 0.2", text)
}
