// Package summary describes a recipe before it is trained: the network's layers and their sizes, the arithmetic that
// stochastic depth saves, memory and steps.
package summary

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/runs/recipes"
)

// Summary describes the training that a recipe asks for.
type Summary struct {
	Recipe recipes.Recipe
	resnet.Size
	Open           []float64 // expected open blocks of each layer, averaged over the training
	OpenBlocks     float64   // sum over the layers
	Blocks         int
	Share          float64 // expected part of the multiply-adds that training computes; 1 if closed blocks are computed too
	Images         int     // in an epoch
	StepsPerEpoch  int64
	Steps          int64 // in the training
	ParameterBytes int64 // weights, their gradients, and what the optimizer and ema keep
	KeptBytes      int64 // activations of a minibatch that the engine keeps for the gradient
}

// Of returns the summary of a recipe; dataRoot is the folder of the pictures, if its data set is one. A recipe that does not
// validate is an error.
func Of(asked recipes.Checker, dataRoot string) (Summary, error) {
	checked, err := asked.Check()
	if err != nil {
		return Summary{}, err
	}
	recipe := checked.Recipe()
	set, err := dataset.Describe(recipe.Dataset, dataRoot)
	if err != nil {
		return Summary{}, err
	}
	images := cmp.Or(recipe.TrainImages, set.Train)
	net, err := network.Of(recipe, recipe.Image(), len(set.Classes))
	if err != nil {
		return Summary{}, err
	}
	survival := net.Survival
	s := Summary{Recipe: recipe, Size: net.Size(), Images: images, Blocks: len(survival), Share: 1,
		StepsPerEpoch: int64((images + recipe.BatchSize - 1) / recipe.BatchSize)}
	s.Steps = s.StepsPerEpoch * int64(recipe.Epochs)
	var computed float64
	for _, l := range s.Layers {
		open := recipe.Schedule().ExpectedOpen(survival[l.First : l.First+l.Blocks])
		s.Open, s.OpenBlocks = append(s.Open, open), s.OpenBlocks+open
		if l.Blocks > 0 {
			computed += float64(l.MultiplyAdds) * open / float64(l.Blocks)
		} else {
			computed += float64(l.MultiplyAdds)
		}
	}
	if recipe.Form == "survivors" {
		s.Share = computed / float64(s.MultiplyAdds)
	}
	s.ParameterBytes, s.KeptBytes = memory(recipe, s.Size, s.Open)
	return s, nil
}

// memory counts the bytes that training must hold: three numbers for each parameter, one more for AdamW and one for ema; and
// for each block, open or not, its output and what it keeps of its convolutions (keptOf); with Recompute the convolutions are
// computed again instead. With sub-batches it is only kept of the open images.
func memory(recipe recipes.Recipe, size resnet.Size, open []float64) (parameters, kept int64) {
	perParameter, perActivation := int64(4), int64(4) // bytes
	switch recipe.DType {
	case "float64":
		perParameter, perActivation = 8, 8
	case "bfloat16":
		perActivation = 2
	}
	numbers := int64(3)
	if recipe.Optimizer == "adamw" {
		numbers++
	}
	if recipe.EMA > 0 {
		numbers++
	}
	outputs := 1.0
	if !recipe.Recompute {
		outputs += keptOf[recipe.Block]
	}
	for i, l := range size.Layers {
		each := perActivation * int64(recipe.BatchSize)
		for _, d := range l.Output {
			each *= int64(d)
		}
		blocks := float64(l.Blocks)
		if recipe.SubBatches() && recipe.Form == "survivors" {
			blocks = open[i]
		}
		kept += int64(float64(each) * blocks * outputs)
	}
	return numbers * perParameter * size.Parameters, kept
}

// keptOf counts, in outputs of the block, the outputs of its convolutions that its gradient needs: those before a normalisation.
// The middle of a bottleneck has a quarter of the channels.
var keptOf = map[string]float64{depth.Basic: 2, depth.Preactivation: 1, depth.Bottleneck: 0.5, depth.OriginalBottleneck: 1.5}

// Write writes the summary as text for people.
func (s Summary) Write(w io.Writer) error {
	r := s.Recipe
	depth := "constant depth"
	switch {
	case !r.IsConstant() && r.Rule == "list":
		depth = "a list of survival probabilities"
	case !r.IsConstant():
		depth = fmt.Sprintf("%s rule, p_L = %g", r.Rule, r.LastSurvival())
	}
	fmt.Fprintf(w, "%s: %d layers, %d blocks, %s, minibatches of %d images\n\n", r.Dataset, r.Depth, s.Blocks, depth, r.BatchSize)

	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, cells ...string) { // names to the left, numbers to the right
		fmt.Fprintf(table, "%-17s\t%s\t\n", name, strings.Join(cells, "\t"))
	}
	line("layer", "output", "blocks", "open", "parameters", "multiply-adds")
	for i, l := range s.Layers {
		blocks, open := "", ""
		if l.Blocks > 0 {
			blocks, open = fmt.Sprint(l.Blocks), fmt.Sprintf("%.2f", s.Open[i])
		}
		shape := []string{fmt.Sprint(r.BatchSize)}
		for _, d := range l.Output {
			shape = append(shape, fmt.Sprint(d))
		}
		line(l.Name, "["+strings.Join(shape, ", ")+"]", blocks, open, say.Grouped(l.Parameters), say.Grouped(l.MultiplyAdds))
	}
	line("in all", "", fmt.Sprint(s.Blocks), fmt.Sprintf("%.2f", s.OpenBlocks), say.Grouped(s.Parameters),
		say.Grouped(s.MultiplyAdds))
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `
open: expected open blocks in a minibatch, averaged over the whole training
multiply-adds: of convolutions and the linear layer, forward, for one image (each is two floating-point operations)

%s
Memory: at least %s, of which %s are %s, and %s activations.
Training: %s.
Steps: %s an epoch of %s images, %s in all.
`, s.arithmetic(), gigabytes(s.ParameterBytes+s.KeptBytes), gigabytes(s.ParameterBytes), s.held(), gigabytes(s.KeptBytes), r.Training(),
		say.Grouped(s.StepsPerEpoch), say.Grouped(s.Images), say.Grouped(s.Steps))
	return err
}

// arithmetic says how much of the network is computed in training.
func (s Summary) arithmetic() string {
	switch {
	case s.Recipe.IsConstant():
		return "Training computes every block for every minibatch: the depth is constant."
	case s.Recipe.Form != "survivors":
		return "In this form training computes closed blocks too: the form survivors leaves them out."
	}
	open := s.OpenBlocks / float64(s.Blocks)
	if s.Recipe.SubBatches() {
		return fmt.Sprintf("Training computes %.0f %% of the multiply-adds of constant depth in every step: each block computes a part of "+
			"fixed size of the minibatch, %.1f %% of it on average.", 100*s.Share, 100*open)
	}
	return fmt.Sprintf("Training computes %.0f %% of the multiply-adds of constant depth on average, with %.1f %% of the blocks open "+
		"(budget=%.4g).", 100*s.Share, 100*open, open)
}

// held names what training holds of each parameter.
func (s Summary) held() string {
	held := []string{"parameters", "their gradients", "momentum"}
	if s.Recipe.Optimizer == "adamw" {
		held[2] = "two moments"
	}
	if s.Recipe.EMA > 0 {
		held = append(held, "averages")
	}
	return say.Enumerate(held)
}

func gigabytes(n int64) string {
	if n < 100e6 {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}
