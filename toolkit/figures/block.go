package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
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
	frame := layout{headline: "A residual block with its gate"}
	p := survival[l-1]
	cases := []blockCase{
		{fmt.Sprintf("training, gate open: %.1f %% of minibatches", 100*p),
			fmt.Sprintf("H_{%d} = ReLU( f_{%d}(H_{%d}) + H_{%d} )", l, l, l-1, l-1), blue, nil},
		{fmt.Sprintf("training, gate closed: %.1f %%", 100*(1-p)), fmt.Sprintf("H_{%d} = H_{%d}", l, l-1), grey, []vg.Length{2.5, 2}},
		{"test: always open, scaled", fmt.Sprintf("H_{%d} = ReLU( %s f_{%d}(H_{%d}) + H_{%d} )", l,
			say.Decimal(math.Round(p*1000)/1000), l, l-1, l-1), ink, nil},
	}
	const each, gap = 46, 6
	return frame.sized(func(width vg.Length) vg.Length {
		if width < narrow {
			return 142 + vg.Length(len(cases))*(each+gap) - gap
		}
		return 142 + each
	}, func(c draw.Canvas) {
		drawResidual(c, l)
		sentence := fmt.Sprintf("Block %d of %d is open with survival probability p_{%d} = %s:", l, len(survival), l,
			say.Decimal(math.Round(p*1000)/1000))
		rich(c, fit(text(sans(textSize), grey), sentence, c.Max.X-c.Min.X), vg.Point{X: c.Min.X, Y: c.Max.Y - 132}, sentence)
		for i, k := range cases {
			at := vg.Length(i)
			if c.Max.X-c.Min.X < narrow {
				k.draw(draw.Crop(c, 0, 0, (vg.Length(len(cases))-1-at)*(each+gap), -142-at*(each+gap)))
			} else {
				width := (c.Max.X - c.Min.X + 10) / 3
				k.draw(draw.Crop(c, width*at, width*(at+1)-10-(c.Max.X-c.Min.X), 0, -142))
			}
		}
	}), nil
}

// blockCase is what a block computes in one case.
type blockCase struct {
	name, formula string
	color         role
	dashes        []vg.Length // of its frame
}

func (k blockCase) draw(c draw.Canvas) {
	box(c, c.Min.X, c.Min.Y, c.Max.X, c.Max.Y, nil, k.color, k.dashes)
	c.FillText(fit(text(sans(smallSize), grey), k.name, c.Max.X-c.Min.X-16), vg.Point{X: c.Min.X + 8, Y: c.Min.Y + 30}, k.name)
	rich(c, text(bold(smallSize), k.color), vg.Point{X: c.Min.X + 8, Y: c.Min.Y + 12}, k.formula)
}

// residualLayout is where the parts of a block stand, from the wire's left end.
type residualLayout struct {
	ends           vg.Length   // room for H on both sides
	fork           vg.Length   // where the identity leaves
	boxes          []vg.Length // the middles of the boxes of f
	names          [][]string  // what is written in them, line by line
	half, height   vg.Length   // half a box's width and height
	gate, gateHalf vg.Length
	sum, reluHalf  vg.Length
}

// In a column there is no room for five boxes.
var (
	wideResidual = residualLayout{ends: 36, fork: 16, boxes: []vg.Length{52, 112, 172, 232, 292},
		names: [][]string{{"conv 3×3"}, {"batch norm"}, {"ReLU"}, {"conv 3×3"}, {"batch norm"}}, half: 26, height: 14, gate: 348,
		gateHalf: 15, sum: 388, reluHalf: 20}
	narrowResidual = residualLayout{ends: 26, fork: 8, boxes: []vg.Length{64},
		names: [][]string{{"conv 3×3, batch norm,", "ReLU,", "conv 3×3, batch norm"}}, half: 46, height: 18, gate: 135, gateHalf: 11,
		sum: 160, reluHalf: 16}
)

// drawResidual draws the block as a row of boxes on a wire, with the identity path above.
func drawResidual(c draw.Canvas, l int) {
	at := wideResidual
	if c.Max.X-c.Min.X < narrow {
		at = narrowResidual
	}
	wire := draw.LineStyle{Color: blue, Width: 1.8}
	y, identity := c.Max.Y-74, c.Max.Y-24
	left, right := c.Min.X+at.ends, c.Max.X-at.ends
	c.StrokeLine2(wire, left, y, right-4, y)
	arrow(c, vg.Point{X: right, Y: y})
	rich(c, centered(text(bold(textSize+1), ink)), vg.Point{X: left - at.ends*0.55, Y: y}, fmt.Sprintf("H_{%d}", l-1))
	rich(c, centered(text(bold(textSize+1), ink)), vg.Point{X: right + at.ends/2, Y: y}, fmt.Sprintf("H_{%d}", l))

	first, last := left+at.boxes[0]-at.half-7, left+at.boxes[len(at.boxes)-1]+at.half+7
	box(c, first, y-at.height-10, last, y+at.height+10, nil, grey, []vg.Length{2, 2})
	rich(c, centered(text(bold(smallSize), grey)), vg.Point{X: (first + last) / 2, Y: y - at.height - 19},
		fmt.Sprintf("f_{%d}: two convolutions", l))
	for i, names := range at.names {
		x := left + at.boxes[i]
		box(c, x-at.half, y-at.height, x+at.half, y+at.height, blue, blue, nil)
		for j, name := range names {
			line := y + 10*(vg.Length(len(names)-1)/2-vg.Length(j))
			c.FillText(centered(fit(text(bold(smallSize), pale), name, 2*at.half-4)), vg.Point{X: x, Y: line}, name)
		}
	}

	// The gate is a switch in the wire: drawn open, as current flows when the block takes part.
	gate := left + at.gate
	box(c, gate-at.gateHalf, y-12, gate+at.gateHalf, y+12, paper, red, nil)
	rich(c, centered(text(bold(textSize+1), red)), vg.Point{X: gate, Y: y}, fmt.Sprintf("b_{%d}", l))
	c.FillText(centered(text(sans(smallSize), red)), vg.Point{X: gate + at.gateHalf/2, Y: y - at.height - 19}, "gate: 1 or 0")

	fork, sum := left+at.fork, left+at.sum
	bridge(c, wire, vg.Point{X: fork, Y: y}, sum, identity, 9)
	c.FillText(centered(text(sans(textSize), blue)), vg.Point{X: (fork + sum) / 2, Y: identity + 9}, "identity")
	plus(c, vg.Point{X: sum, Y: y})

	relu := (sum + right) / 2
	box(c, relu-at.reluHalf, y-14, relu+at.reluHalf, y+14, blue, blue, nil)
	c.FillText(centered(text(bold(smallSize), pale)), vg.Point{X: relu, Y: y}, "ReLU")
}
