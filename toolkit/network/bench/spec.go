package bench

import (
	"cmp"
	"fmt"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

// Spec says what to time: training steps of one network on images that stay the same.
type Spec struct {
	Network   string  `json:"network,omitempty"`    // one of recipes.Networks, whose blocks and layers it has; empty: the paper's
	ImageSize int     `json:"image_size,omitempty"` // side of the images, in pixels; 0: 32
	Block     string  `json:"block,omitempty"`      // kind of the blocks; empty: basic, the paper's
	Layers    int     `json:"layers"`               // 6N+2 with the paper's blocks, see depth.BlocksOf
	Batch     int     `json:"batch"`                // images
	DType     string  `json:"dtype"`
	Form      string  `json:"form"`       // survivors or resnet
	DeathRate float64 `json:"death_rate"` // 1 - p_L of the linear rule; the gates are drawn as in training
	Fixed     bool    `json:"fixed"`      // instead of drawn gates, Open blocks are open in each step, spread over the network
	Open      int     `json:"open"`
	Recompute bool    `json:"recompute"` // compute the blocks' activations again for the gradient
	Steps     int     `json:"steps"`     // timed steps
	Evaluate  bool    `json:"evaluate"`  // also time the evaluation of EvaluationImages
}

const (
	// Draws is the number of steps for which gates are drawn; then the gates repeat, so that runs of different length
	// have the same open blocks.
	Draws = 8
	// Untimed is the number of steps before the timed ones: two with no block open, two with all. The first step of each
	// pair compiles, and touches memory for the first time. The learning rate is zero, so that all four, and the first
	// timed step, start from the initial weights.
	Untimed = 4
	// Losses is the number of steps whose losses a program reports. The last of them, the second timed step, is the first
	// after an update. Later the programs drift apart by rounding, and on random images the weights may grow without
	// bound.
	Losses = Untimed + 2
	// EvaluationImages is the number of images that an evaluation classifies, in one batch, and Evaluations the number of
	// evaluations; the first one, which compiles, does not count.
	EvaluationImages, Evaluations = 500, 4

	maxSteps  = 100_000 // largest number of timed steps
	paperSide = 32      // of the paper's images, in pixels
)

// Recipe is the recipe of the network and its optimizer: everything that is timed is built from it alone. An unknown network
// is an error.
func (s Spec) Recipe() (recipes.Recipe, error) {
	recipe := recipes.Default()
	recipe.Dataset, recipe.Epochs, recipe.ImageSize = "shapes", 1, s.ImageSize
	recipe.Block = cmp.Or(s.Block, recipe.Block)
	if s.Network != "" {
		if err := recipe.Set("network", s.Network); err != nil {
			return recipe, err
		}
	}
	recipe.Depth, recipe.BatchSize, recipe.DType, recipe.Form = s.Layers, s.Batch, s.DType, s.Form
	recipe.DeathRate, recipe.Recompute = s.DeathRate, s.Recompute
	if s.Network != "" { // 0.1 for 256 images; at 0.1 for a few images losses jump after a step, and rounding with them
		recipe.LearningRate = recipes.Default().LearningRate * float64(s.Batch) / 256
	}
	return recipe, nil
}

// Check says in one sentence why the specification cannot be timed on any machine, or returns nil.
func (s Spec) Check() error {
	if err := say.CheckRange("the number of steps", s.Steps, 1, maxSteps); err != nil {
		return err
	}
	recipe, err := s.Recipe()
	if err != nil {
		return err
	}
	if err := recipe.Validate(); err != nil {
		return err
	}
	if blocks := s.blocks(); s.Fixed && (s.Open < 0 || s.Open > blocks) {
		return fmt.Errorf("%d open blocks: %d layers have %d", s.Open, s.Layers, blocks)
	}
	return nil
}

// blocks is L, or 0 if there is no such network.
func (s Spec) blocks() int {
	recipe, err := s.Recipe()
	if err != nil {
		return 0
	}
	_, blocks := recipe.ExpectedOpen()
	return blocks
}

// Gates returns the gates of all steps, the Untimed ones first. They depend only on the specification and the recipe's
// seed, so that all programs get the same gates.
func (s Spec) Gates() ([]depth.Gates, error) {
	recipe, err := s.Recipe()
	if err != nil {
		return nil, err
	}
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

// spread opens the given number of blocks, at equal distances.
func spread(open, blocks int) depth.Gates {
	gates := make(depth.Gates, blocks)
	for i := range open {
		gates[i*blocks/open] = true
	}
	return gates
}
