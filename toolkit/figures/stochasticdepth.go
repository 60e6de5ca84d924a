package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/depth"
)

// maxBlocks is as many as can be told apart in the width of a figure, maxDrawn as can be drawn with their shortcuts.
const maxBlocks, maxDrawn = 1000, 100

// StochasticDepth draws the idea (the paper's Fig. 2): the survival probabilities p_1 to p_L as bars, and below them
// the network in one minibatch. Open blocks are computed; a closed block leaves its identity shortcut only. It takes
// one probability and one gate a block, for 1 to 1000 blocks; of more than 100 it draws stripes, without shortcuts.
func StochasticDepth(survival depth.Survival, gates depth.Gates) (*Figure, error) {
	if len(survival) != len(gates) {
		return nil, fmt.Errorf("%d survival probabilities and %d gates: a block has one of each", len(survival), len(gates))
	}
	if len(survival) < 1 || len(survival) > maxBlocks {
		return nil, fmt.Errorf("a picture of %d blocks cannot be read: draw 1 to %d", len(survival), maxBlocks)
	}
	if err := survival.Validate(); err != nil {
		return nil, err
	}
	s := schematic{survival: survival, gates: gates, left: 46, right: figureWidth - 18}
	s.end = max(40, (s.right-s.left)/vg.Length(len(gates)+2))
	s.pitch = (s.right - s.left - 2*s.end) / vg.Length(len(gates))
	s.half = min(s.pitch*0.29, 20)
	if s.striped = len(gates) > maxDrawn; s.striped {
		s.half = s.pitch / 2
	}
	s.detailed = len(gates) <= 16
	return &Figure{figureWidth, 3.6 * vg.Inch, s.draw}, nil
}

// schematic is the layout of the picture. Lengths are in points from its lower left corner.
type schematic struct {
	survival    depth.Survival
	gates       depth.Gates
	left, right vg.Length // of the row of places
	end         vg.Length // width of the stem's place, and of the classifier's
	pitch, half vg.Length // from block to block, and half a block's width
	detailed    bool      // few enough blocks to write in them
	striped     bool      // too many to draw their shortcuts
}

const (
	barsFoot, barsHead = 136, 204 // p = 0 and p = 1
	wireY              = 70       // the row of blocks
	blockHalf          = 15       // half the height of a block
	shortcutY          = wireY + 30
)

// x is the middle of block l = 1..L, of the stem at 0 and of the classifier at L+1.
func (s schematic) x(l int) vg.Length {
	switch l {
	case 0:
		return s.left + s.end/2
	case len(s.gates) + 1:
		return s.right - s.end/2
	}
	return s.left + s.end + s.pitch*(vg.Length(l)-0.5)
}

// endHalf is half the width of the stem, and of the classifier.
func (s schematic) endHalf() vg.Length { return min(s.end*0.29, 20) }

func (s schematic) draw(c draw.Canvas) {
	c.FillText(text(bold(headlineSize), ink), vg.Point{X: 18, Y: 238}, "Every minibatch trains a different, shallower network")
	rich(c, text(sans(textSize), grey), vg.Point{X: 18, Y: 221},
		"Block ℓ is open with survival probability p_ℓ. A closed block is not computed: only its identity shortcut remains.")
	s.drawBars(c)
	s.drawNetwork(c)
	s.drawLegend(c)
}

func (s schematic) drawBars(c draw.Canvas) {
	height := func(p float64) vg.Length { return barsFoot + vg.Length(p)*(barsHead-barsFoot) }
	for _, p := range []float64{0, 0.5, 1} {
		style := draw.LineStyle{Color: thin, Width: 0.7}
		if p == 0 {
			style.Color = grey
		}
		c.StrokeLine2(style, s.left, height(p), s.right, height(p))
		label := text(sans(smallSize), grey)
		label.XAlign, label.YAlign = draw.XRight, draw.YCenter
		c.FillText(label, vg.Point{X: s.left - 5, Y: height(p)}, decimal(p))
	}
	title := centered(text(sans(smallSize), grey))
	title.Rotation = math.Pi / 2
	c.FillText(title, vg.Point{X: 17, Y: (barsFoot + barsHead) / 2}, "survival probability")
	for i, p := range s.survival {
		x := s.x(i + 1)
		label := centered(text(sans(smallSize), pale))
		fill := blue
		if !s.gates[i] {
			fill, label.Color = pale, blue
		}
		if s.striped {
			box(c, x-s.half, barsFoot, x+s.half, height(p), fill, nil, nil)
		} else {
			box(c, x-s.half, barsFoot, x+s.half, height(p), fill, blue, nil)
		}
		last := i == 0 || i == len(s.survival)-1
		switch value := fmt.Sprintf("%.2f", p); {
		case s.detailed && p > 0.2:
			c.FillText(fit(label, value, 2*s.half-2), vg.Point{X: x, Y: height(p) - 8}, value)
		case s.detailed || last: // of many bars the ends say enough
			label.Color = ink
			c.FillText(label, vg.Point{X: x, Y: height(p) + 7}, value)
		}
	}
}

func (s schematic) drawNetwork(c draw.Canvas) {
	blocks := len(s.gates)
	wire := draw.LineStyle{Color: blue, Width: 1.8}
	if s.striped {
		s.drawStripes(c, wire)
		return
	}
	faint := draw.LineStyle{Color: blue, Width: 0.7}
	fork := s.half + s.pitch*0.1 // where a shortcut leaves the wire and joins it again, from the middle
	if s.detailed {
		fork = s.half + min(s.pitch*0.12, 9)
	}

	c.StrokeLine2(wire, s.x(0), wireY, s.x(1)-fork, wireY)
	for l := 1; l <= blocks; l++ {
		x := s.x(l)
		if s.gates[l-1] {
			c.StrokeLine2(wire, x-fork, wireY, x+fork, wireY)
			shortcut(c, faint, x, fork)
			box(c, x-s.half, wireY-blockHalf, x+s.half, wireY+blockHalf, blue, blue, nil)
		} else {
			shortcut(c, wire, x, fork)
			box(c, x-s.half, wireY-blockHalf, x+s.half, wireY+blockHalf, nil, grey, []vg.Length{2.5, 2})
		}
		next := s.x(l+1) - fork
		if l == blocks {
			next = s.x(l+1) - s.endHalf() - 1
		}
		c.StrokeLine2(wire, x+fork, wireY, next, wireY)
		if s.gates[l-1] && s.detailed {
			plus(c, vg.Point{X: x + fork, Y: wireY})
		}
		s.labelBlock(c, l)
	}
	arrow(c, vg.Point{X: s.x(blocks+1) - s.endHalf(), Y: wireY})
	s.drawEnds(c)
}

// drawStripes draws each block as a stripe: filled where it is open, a line in the middle where the shortcut remains.
func (s schematic) drawStripes(c draw.Canvas, wire draw.LineStyle) {
	blocks := len(s.gates)
	c.StrokeLine2(wire, s.x(0), wireY, s.x(blocks+1)-s.endHalf()-1, wireY)
	for l := 1; l <= blocks; l++ {
		if x := s.x(l); s.gates[l-1] {
			box(c, x-s.half, wireY-blockHalf, x+s.half, wireY+blockHalf, blue, nil, nil)
		}
		if l == 1 || l%100 == 0 && s.x(blocks)-s.x(l) > 20 {
			c.FillText(centered(text(sans(smallSize), grey)), vg.Point{X: s.x(l), Y: wireY - blockHalf - 9}, fmt.Sprint(l))
		}
	}
	arrow(c, vg.Point{X: s.x(blocks+1) - s.endHalf(), Y: wireY})
	s.drawEnds(c)
}

// labelBlock writes the block's function into it and its gate below, or every tenth number where there is no room.
func (s schematic) labelBlock(c draw.Canvas, l int) {
	x := s.x(l)
	below := vg.Point{X: x, Y: wireY - blockHalf - 9}
	label := centered(text(sans(smallSize), grey))
	if !s.detailed {
		if l == 1 || l%10 == 0 {
			c.FillText(label, below, fmt.Sprint(l))
		}
		return
	}
	name := centered(text(bold(textSize), grey))
	gate := "closed"
	if s.gates[l-1] {
		name.Color, gate = pale, "open"
	}
	rich(c, name, vg.Point{X: x, Y: wireY}, fmt.Sprintf("f_{%d}", l))
	if s.gates[l-1] {
		label.Color = blue
	}
	c.FillText(fit(label, gate, s.pitch*0.9), below, gate)
}

// drawEnds draws the stem before the blocks and the classifier after them, which are always open.
func (s schematic) drawEnds(c draw.Canvas) {
	half := s.endHalf()
	for i, name := range []string{"stem", "classify"} {
		x := s.x(i * (len(s.gates) + 1))
		box(c, x-half, wireY-blockHalf, x+half, wireY+blockHalf, thin, grey, nil)
		c.FillText(centered(text(sans(smallSize), grey)), vg.Point{X: x, Y: wireY - blockHalf - 9}, name)
	}
}

func (s schematic) drawLegend(c draw.Canvas) {
	const y = 18
	label := text(sans(textSize), ink)
	label.YAlign = draw.YCenter
	x := vg.Length(18)
	for _, item := range []struct {
		open bool
		name string
	}{{true, "open: block and shortcut are added"}, {false, "closed: the shortcut alone"}} {
		if item.open {
			box(c, x, y-5, x+14, y+5, blue, blue, nil)
		} else {
			box(c, x, y-5, x+14, y+5, nil, grey, []vg.Length{2.5, 2})
		}
		c.FillText(label, vg.Point{X: x + 20, Y: y}, item.name)
		x += 20 + label.Width(item.name) + 22
	}
	count := fmt.Sprintf("open here: %d of %d blocks; on average %s", s.gates.Open(), len(s.gates),
		decimal(math.Round(s.survival.ExpectedOpen()*100)/100))
	right := text(bold(textSize), blue)
	right.XAlign, right.YAlign = draw.XRight, draw.YCenter
	c.FillText(right, vg.Point{X: s.right, Y: y}, count)
}
