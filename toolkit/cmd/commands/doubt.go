package commands

import (
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/analysis"
	"stochdepth/toolkit/outcome"
)

// shares of the images, the most confident ones, on which printDoubt shows the error.
var shares = []float64{0.9, 0.8, 0.5}

// rated is a way to classify the test images, with the probabilities that it gives.
type rated struct {
	name          string
	probabilities [][]float64
}

// printDoubt prints how well the probabilities of networks can be trusted: of each with scaled blocks, as the mean over passes
// with blocks drawn as in training, and of several as an ensemble.
// If out is not empty it also draws the figure of that into this file.
func printDoubt(cmd *cobra.Command, names []string, nets []*network.Opened, passes int, seed int64, out string) error {
	labels, err := sameLabels(names, nets)
	if err != nil {
		return err
	}
	var list []rated
	var scaled, drawn [][][]float64
	bar, done, stochastic := progress.New(int64(len(nets)*(passes+1)), "eval", "passes"), int64(0), 0
	for i, net := range nets {
		once, err := analysis.Probabilities(cmd.Context(), net.Model, net.Data.Test)
		if err != nil {
			return err
		}
		scaled, list = append(scaled, once), append(list, rated{names[i] + ", blocks scaled", once})
		done++
		bar.Set(done, "")
		if net.Recipe.IsConstant() { // all passes are alike
			drawn, done = append(drawn, once), done+int64(passes)
			continue
		}
		mean, err := analysis.MonteCarlo(cmd.Context(), net.Model, net.Data.Test, passes, seed,
			func(pass int) { bar.Set(done+int64(pass), "") })
		if err != nil {
			return err
		}
		stochastic++
		drawn, done = append(drawn, mean), done+int64(passes)
		list = append(list, rated{fmt.Sprintf("%s, mean of %d passes", names[i], passes), mean})
	}
	bar.Done("")
	if len(nets) > 1 {
		all := fmt.Sprintf("mean of %d networks", len(nets))
		list = append(list, rated{all + ", blocks scaled", analysis.Mean(scaled...)})
		if stochastic > 0 {
			list = append(list, rated{fmt.Sprintf("%s, %d passes each", all, passes), analysis.Mean(drawn...)})
		}
	}

	var curves []figures.CalibrationCurve
	fmt.Fprintf(cmd.OutOrStdout(), "%d test images. Log loss: negative log likelihood. ECE: expected calibration error, %d bins. "+
		"The last columns: error if only this share of the images is classified, the most confident.\n\n", len(labels), outcome.ConfidenceBins)
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\terror\tlog loss\tECE\t")
	for _, share := range shares {
		fmt.Fprintf(t, "%.0f %%\t", 100*share)
	}
	fmt.Fprintln(t)
	for _, r := range list {
		c, err := outcome.CalibrationOf(labels, r.probabilities)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		curves = append(curves, figures.CalibrationCurve{Name: r.name, Calibration: c})
		fmt.Fprintf(t, "%s\t%.2f %%\t%.4f\t%.2f %%\t", r.name, c.Error, c.LogLoss, c.ECE)
		for _, share := range shares {
			fmt.Fprintf(t, "%.2f %%\t", c.ErrorOfConfident(share))
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil || out == "" {
		return err
	}
	if most := figures.MostCalibrationCurves; len(curves) > most { // those of the ensemble
		curves = curves[len(curves)-1-min(1, stochastic):]
	}
	figure, err := figures.Calibration(figures.Recorded(fmt.Sprintf("%d test images, %d passes, gates of seed %d. %d bins of "+
		"equal width, drawn from ten images on.", len(labels), passes, seed, outcome.ConfidenceBins)), curves...)
	if err != nil {
		return err
	}
	if err := figures.Save(out, figure); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), "\n"+out)
	return err
}

// sameLabels returns the labels of the test images, which must be the same for all networks.
func sameLabels(names []string, nets []*network.Opened) (labels []int, err error) {
	if nets[0].Data.Test.Len() == 0 {
		return nil, errors.New("there are no test images")
	}
	for i, net := range nets {
		own := labelsOf(net.Data.Test)
		if i > 0 && !slices.Equal(own, labels) {
			return nil, fmt.Errorf("%s and %s have other test images: an ensemble needs networks of the same data set and of equal "+
				"test_images", say.Shown(names[0]), say.Shown(names[i]))
		}
		labels = own
	}
	return labels, nil
}

func labelsOf(part dataset.View) []int {
	labels := make([]int, part.Len())
	for i := range labels {
		labels[i] = part.Label(i)
	}
	return labels
}
