package bench

import (
	"fmt"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

// Spec is what to time: training steps of one network on images that stay the same.
type Spec struct {
	Block     string  `json:"block,omitempty"` // kind of the blocks; empty: basic, the paper's
	Layers    int     `json:"layers"`          // 6N+2, or as the blocks' networks have
	Batch     int     `json:"batch"`           // images
	DType     string  `json:"dtype"`
	Form      string  `json:"form"`       // survivors or resnet
	DeathRate float64 `json:"death_rate"` // 1 - p_L of the linear rule; the gates are drawn as in training
	Fixed     bool    `json:"fixed"`      // instead, Open blocks are open in each step, spread over the network
	Open      int     `json:"open"`
	Recompute bool    `json:"recompute"` // the blocks' activations are computed again for the gradient
	Steps     int     `json:"steps"`     // to time
	Evaluate  bool    `json:"evaluate"`  // time the evaluation of EvaluationImages too
}

const (
	// Draws is over how many steps the gates are drawn anew; then they repeat, so that runs of different length
	// have the same open blocks.
	Draws = 8
	// Untimed is how many steps come before the timed ones: two with no block open, two with all. The first of each
	// pair compiles, and touches memory, for the first time. Their learning rate is zero, so that all four, and the
	// first timed step, start from the initial weights.
	Untimed = 4
	// Losses is of how many steps a program tells the loss: the last, of the second timed step, is the first after an
	// update. Later on rounding sets the programs apart, and random images may let the weights grow without end.
	Losses = Untimed + 2
	// EvaluationImages is how many images an evaluation classifies, in one batch, and Evaluations how often it is done;
	// the first time, which compiles, does not count.
	EvaluationImages, Evaluations = 500, 4

	maxSteps = 100_000 // to time
)

// Recipe is the recipe of the network, and of its optimizer: what is timed is built from this alone.
func (s Spec) Recipe() recipes.Recipe {
	recipe := recipes.Default()
	recipe.Dataset, recipe.Epochs = "shapes", 1
	if s.Block != "" {
		recipe.Block = s.Block
	}
	recipe.Depth, recipe.BatchSize, recipe.DType, recipe.Form = s.Layers, s.Batch, s.DType, s.Form
	recipe.DeathRate, recipe.Recompute = s.DeathRate, s.Recompute
	return recipe
}

// Check says in one sentence what of the specification no machine can time, or returns nil.
func (s Spec) Check() error {
	if err := say.CheckRange("the number of steps", s.Steps, 1, maxSteps); err != nil {
		return err
	}
	if err := s.Recipe().Validate(); err != nil {
		return err
	}
	if blocks := s.blocks(); s.Fixed && (s.Open < 0 || s.Open > blocks) {
		return fmt.Errorf("%d open blocks: %d layers have %d", s.Open, s.Layers, blocks)
	}
	return nil
}

// blocks is L, or 0 if there is no such network.
func (s Spec) blocks() int {
	_, blocks := s.Recipe().ExpectedOpen()
	return blocks
}

// Gates are those of all steps, the Untimed ones first. They depend on the specification and the recipe's seed alone, so
// that all programs that are timed get the same.
func (s Spec) Gates() ([]depth.Gates, error) {
	recipe := s.Recipe()
	survival, err := recipe.Survival()
	if err != nil {
		return nil, err
	}
	blocks := len(survival)
	closed, open := make(depth.Gates, blocks), depth.AllOpen(blocks)
	gates := []depth.Gates{closed, closed, open, open}
	for i := range s.Steps {
		if s.Fixed {
			gates = append(gates, spread(s.Open, blocks))
		} else {
			gates = append(gates, survival.Draw(depth.Rand(recipe.Seed, depth.GateDraws, int64(i%Draws))))
		}
	}
	return gates, nil
}

// spread opens so many blocks, at equal distances.
func spread(open, blocks int) depth.Gates {
	gates := make(depth.Gates, blocks)
	for i := range open {
		gates[i*blocks/open] = true
	}
	return gates
}
