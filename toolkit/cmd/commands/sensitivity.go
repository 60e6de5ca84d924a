package commands

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network/analysis"
)

func sensitivityCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sensitivity RUN|FILE",
		Short: "Print how much the loss rises without each block, and survival probabilities in proportion",
		Long: `Print how much the loss on validation images rises when a block is removed from a trained network, block by block, and
survival probabilities in proportion to that (Hayou and Ayed 2021), with the given share of open blocks: the blocks that matter
most close least. A network that was trained for a few epochs is enough; the last line has the flags for a training with them.`,
		Example: "  stochdepth train --recipe cifar100 --depth 38 --death-rate 0 --epochs 5 --run pilot\n" +
			"  stochdepth sensitivity pilot --budget 0.75",
		Args: cobra.ExactArgs(1),
	}
	budget := cmd.Flags().Float64("budget", 0.75, "expected share of open blocks, up to 1")
	images := cmd.Flags().Int("images", 5000, "validation images to take at most")
	format := formatFlag(cmd)
	open := trainedFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *images < 1 {
			return fmt.Errorf("--images %d: take one at least", *images)
		}
		if _, err := depth.Sensed([]float64{1}, *budget); err != nil {
			return fmt.Errorf("--%w", err)
		}
		net, _, _, err := open(aside(cmd, *format), args[0])
		if err != nil {
			return err
		}
		bar := progress.New(int64(len(net.Network.Survival)), "sensitivity", "blocks")
		list, err := analysis.Sensitivities(cmd.Context(), net.Model, net.Data.Validation.First(*images),
			func(block int) { bar.Set(int64(block), "") })
		if err != nil {
			return err
		}
		bar.Done("")
		survival, err := depth.Sensed(list, *budget)
		if err != nil {
			return err
		}
		blocks := make([]int, len(list))
		words := make([]string, len(list))
		for l := range blocks {
			blocks[l], words[l] = l, fmt.Sprint(survival[l])
		}
		columns := []say.Column[int]{
			{Key: "block", Head: "Block", Right: true, Value: func(l int) any { return l + 1 }},
			{Key: "sensitivity", Head: "Loss without it: more by", Right: true, Format: "%.4f", Value: func(l int) any { return list[l] }},
			{Key: "survival_probability", Head: "Survival probability", Right: true, Format: "%.4f",
				Value: func(l int) any { return survival[l] }},
		}
		if err := say.WriteTable(cmd.OutOrStdout(), *format, columns, blocks); err != nil || *format != "table" {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "\n--rule list --death-rate 0 --set survival_probabilities=%s\n", strings.Join(words, ","))
		return err
	}
	return cmd
}
