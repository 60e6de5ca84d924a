// Command example is the command line, stochdepth, with a block, a survival rule, two schedules and a data set of its own. Copy
// it into a folder, and put yours in their place:
//
//	mkdir mine && cp toolkit/cmd/example/main.go mine && go run ./mine train --dataset stripes --rule second-half
//
// All commands know the new names: train, eval, sweep run, with its workers, and the others.
package main

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/cmd/commands"
	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/runs/recipes"
)

func main() {
	commands.Main(
		resnet.Register("scaled", func(s resnet.Shape) residual.Block { return scaled{resnet.Basic{Shape: s}} }),
		depth.RegisterRule("second-half", secondHalf),
		depth.RegisterSchedule("wave", func(at float64) float64 { return math.Sin(math.Pi * at) }),
		recipes.RegisterRate("line", func(at float64) float64 { return 1 - at }),
		dataset.Register(stripes, drawStripes),
	)
}

// scaled is the paper's block with a factor, a parameter, for each channel of its branch.
type scaled struct{ resnet.Basic }

func (s scaled) Parameters() []residual.Parameter {
	return append(s.Basic.Parameters(), residual.Parameter{Name: "factor", Dims: []int{s.Out}, Start: residual.Normal(1)})
}

func (s scaled) Branch(b *residual.Branch, x *graph.Node) *graph.Node {
	return graph.Mul(s.Basic.Branch(b, x), graph.Reshape(b.Value("factor"), 1, 1, 1, s.Out))
}

// secondHalf closes blocks of the second half only.
func secondHalf(blocks int, deathRate float64) depth.Survival {
	survival := depth.Constant(blocks)
	for l := blocks / 2; l < blocks; l++ {
		survival[l] = 1 - deathRate
	}
	return survival
}

var stripes = dataset.Set{Name: "stripes", Classes: []string{"across", "down"}, Format: dataset.Format{Height: 16, Width: 16, Channels: 3},
	Train: 64, Validation: 32, Test: 32}

// drawStripes draws black and white stripes, which need no noise to be confused by nobody.
func drawStripes(dataset.Options) (*dataset.Data, error) {
	part := func(n int) dataset.View {
		images := &dataset.Images{Format: stripes.Format, Labels: make([]uint16, n)}
		for i := range n {
			images.Labels[i] = uint16(i % 2)
			for pixel := range 16 * 16 {
				position := []int{pixel / 16, pixel % 16}[i%2]
				white := byte(255 * ((position + i/2) / 2 % 2))
				images.Pixels = append(images.Pixels, white, white, white)
			}
		}
		return dataset.NewView(images)
	}
	return &dataset.Data{Train: part(stripes.Train), Validation: part(stripes.Validation), Test: part(stripes.Test)}, nil
}
