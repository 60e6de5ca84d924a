package figures

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/depth"
)

// Block draws the idea of one block (the paper's Fig. 1): the identity path above, the block's function below, its gate
// b_l, the addition and the ReLU; and what the block computes when its gate is open, when it is closed, and at test.
// The numbers are those of block l = 1..L of a network with these survival probabilities.
func Block(survival depth.Survival, l int) (*Figure, error) {
	if err := survival.Validate(); err != nil {
		return nil, err
	}
	if l < 1 || l > len(survival) {
		return nil, fmt.Errorf("there is no block %d: the network has the blocks 1 to %d", l, len(survival))
	}
	s := sheet{headline: "A residual block with its gate"}
	p := survival[l-1]
	return s.figure(188, func(c draw.Canvas) {
		drawResidual(c, l)
		foot := c.Min.Y
		rich(c, text(sans(textSize), grey), vg.Point{X: margin, Y: foot + 56},
			fmt.Sprintf("Block %d of %d is open with survival probability p_{%d} = %s:", l, len(survival), l, decimal(math.Round(p*1000)/1000)))
		cases := []struct {
			name, formula string
			line          look
		}{
			{fmt.Sprintf("training, gate open: %.1f %% of minibatches", 100*p), fmt.Sprintf("H_{%d} = ReLU( f_{%d}(H_{%d}) + H_{%d} )", l, l, l-1, l-1), look{color: blue}},
			{fmt.Sprintf("training, gate closed: %.1f %%", 100*(1-p)), fmt.Sprintf("H_{%d} = H_{%d}", l, l-1), look{color: grey, dashes: []vg.Length{2.5, 2}}},
			{"test: always open, scaled", fmt.Sprintf("H_{%d} = ReLU( %s f_{%d}(H_{%d}) + H_{%d} )", l, decimal(math.Round(p*1000)/1000), l, l-1, l-1), look{color: ink}},
		}
		width := (c.Max.X - c.Min.X + 10) / 3
		for i, k := range cases {
			left := c.Min.X + width*vg.Length(i)
			box(c, left, foot, left+width-10, foot+46, nil, k.line.color, k.line.dashes)
			c.FillText(fit(text(sans(smallSize), grey), k.name, width-26), vg.Point{X: left + 8, Y: foot + 30}, k.name)
			rich(c, text(bold(smallSize), k.line.color), vg.Point{X: left + 8, Y: foot + 12}, k.formula)
		}
	}), nil
}

// drawResidual draws the block as a row of boxes on a wire, with the identity path above.
func drawResidual(c draw.Canvas, l int) {
	wire := draw.LineStyle{Color: blue, Width: 1.8}
	y, identity := c.Max.Y-74, c.Max.Y-24
	left, right := c.Min.X+36, c.Max.X-36
	c.StrokeLine2(wire, left, y, right-4, y)
	arrow(c, vg.Point{X: right, Y: y})
	rich(c, centered(text(bold(textSize+1), ink)), vg.Point{X: left - 20, Y: y}, fmt.Sprintf("H_{%d}", l-1))
	rich(c, centered(text(bold(textSize+1), ink)), vg.Point{X: right + 18, Y: y}, fmt.Sprintf("H_{%d}", l))

	names := []string{"conv 3×3", "batch norm", "ReLU", "conv 3×3", "batch norm"}
	const half, pitch = 26, 60
	first := left + 52
	fork := left + 16
	frame := draw.LineStyle{Color: grey, Width: 0.7, Dashes: []vg.Length{2, 2}}
	c.StrokeLines(frame, []vg.Point{{X: first - half - 7, Y: y - 24}, {X: first + pitch*4 + half + 7, Y: y - 24},
		{X: first + pitch*4 + half + 7, Y: y + 24}, {X: first - half - 7, Y: y + 24}, {X: first - half - 7, Y: y - 24}})
	rich(c, centered(text(bold(textSize), grey)), vg.Point{X: first + pitch*2, Y: y - 33}, fmt.Sprintf("f_{%d}: two convolutions of 3×3", l))
	for i, name := range names {
		x := first + pitch*vg.Length(i)
		box(c, x-half, y-14, x+half, y+14, blue, blue, nil)
		c.FillText(centered(fit(text(bold(smallSize), pale), name, 2*half-4)), vg.Point{X: x, Y: y}, name)
	}

	// The gate is a switch in the wire: drawn open, as current flows when the block takes part.
	gate := first + pitch*4 + half + 30
	box(c, gate-15, y-12, gate+15, y+12, color.White, red, nil)
	rich(c, centered(text(bold(textSize+1), red)), vg.Point{X: gate, Y: y}, fmt.Sprintf("b_{%d}", l))
	c.FillText(centered(text(sans(smallSize), red)), vg.Point{X: gate, Y: y - 33}, "gate: 1 or 0")
	sum := gate + 40

	bend := vg.Length(9)
	var path vg.Path
	path.Move(vg.Point{X: fork, Y: y})
	path.Line(vg.Point{X: fork, Y: identity - bend})
	path.Arc(vg.Point{X: fork + bend, Y: identity - bend}, bend, math.Pi, -math.Pi/2)
	path.Line(vg.Point{X: sum - bend, Y: identity})
	path.Arc(vg.Point{X: sum - bend, Y: identity - bend}, bend, math.Pi/2, -math.Pi/2)
	path.Line(vg.Point{X: sum, Y: y})
	c.SetLineStyle(wire)
	c.Stroke(path)
	c.FillText(centered(text(sans(textSize), blue)), vg.Point{X: (fork + sum) / 2, Y: identity + 9}, "identity")
	plus(c, vg.Point{X: sum, Y: y})

	relu := (sum + right) / 2
	box(c, relu-20, y-14, relu+20, y+14, blue, blue, nil)
	c.FillText(centered(text(bold(smallSize), pale)), vg.Point{X: relu, Y: y}, "ReLU")
}
