package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
)

func figuresCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "figures", Short: "Draw the project's figures from its recorded runs"}
	out := cmd.PersistentFlags().String("out", inProject("figures"), "folder of the figures")
	save := func(cmd *cobra.Command, name string, figure *figures.Figure) error {
		path := filepath.Join(*out, name)
		if err := figures.Save(path, figure); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), path)
		return nil
	}

	scheme := &cobra.Command{
		Use:   "stochastic-depth",
		Short: "The survival probabilities and one drawn minibatch (the paper's Fig. 2)",
		Args:  cobra.NoArgs,
	}
	blocks := scheme.Flags().Int("blocks", 9, "residual blocks, L")
	deathRate := scheme.Flags().Float64("death-rate", 0.5, "1 - p_L")
	rule := scheme.Flags().String("rule", "linear", "linear or uniform")
	seed := scheme.Flags().Int64("seed", 1, "of the minibatch")
	scheme.RunE = func(cmd *cobra.Command, _ []string) error {
		survival, err := depth.ByRule(*rule, *blocks, *deathRate, nil)
		if err != nil {
			return err
		}
		figure, err := figures.StochasticDepth(survival, survival.Draw(depth.Rand(*seed, depth.GateDraws, 0)))
		if err != nil {
			return err
		}
		return save(cmd, "stochastic-depth.png", figure)
	}

	quickstart := &cobra.Command{
		Use:   "quickstart [CONSTANT STOCHASTIC]",
		Short: "Two runs compared: error by epoch, and time",
		Args: cobra.MatchAll(cobra.MaximumNArgs(2), func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return fmt.Errorf("name two runs, the one of constant depth first")
			}
			return nil
		}),
	}
	folder := runsFlag(quickstart)
	quickstart.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			args = []string{"shapes-20-constant", "shapes-20-linear-0.8"} // the recorded ones
		}
		constant, err := openRun(*folder, args[0])
		if err != nil {
			return err
		}
		stochastic, err := openRun(*folder, args[1])
		if err != nil {
			return err
		}
		figure, err := figures.Quickstart(constant, stochastic)
		if err != nil {
			return err
		}
		return save(cmd, "quickstart.png", figure)
	}
	cmd.AddCommand(scheme, quickstart)
	return cmd
}
