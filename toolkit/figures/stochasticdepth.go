package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
)

// maxBlocks is the largest number of blocks that can be distinguished in the width of a figure, maxDrawn the largest
// number that can be drawn with their shortcuts.
const maxBlocks, maxDrawn = 1000, 100

// StochasticDepth draws the idea (the paper's Fig. 2): the survival probabilities p_0 = 1 (of the stem) to p_L as bars,
// and below them the network in one minibatch. Open blocks are computed; a closed block leaves its identity shortcut
// only. It takes one probability and one gate for each of 1 to 1000 blocks; more than 100 are stripes without shortcuts.
// Where the picture shows the paper's example, provenance says so.
func StochasticDepth(survival depth.Survival, gates depth.Gates, provenance ...Provenance) (*Figure, error) {
	if len(survival) != len(gates) {
		return nil, fmt.Errorf("%d survival probabilities and %d gates: a block has one of each", len(survival), len(gates))
	}
	if len(survival) < 1 || len(survival) > maxBlocks {
		return nil, fmt.Errorf("a picture of %d blocks cannot be read: draw 1 to %d", len(survival), maxBlocks)
	}
	if err := survival.Validate(); err != nil {
		return nil, err
	}
	l := layout{
		headline: "Every minibatch trains a different, shallower network",
		below: []string{"Block ℓ is open with survival probability p_ℓ. A closed block is not computed: " +
			"only its identity shortcut remains."},
		styles: []seriesStyle{{name: "open: block and shortcut are added", color: blue, kind: aBar},
			{name: "closed: the shortcut alone", color: grey, kind: aFrame}},
	}
	if len(provenance) > 0 {
		l.provenance = provenance[0]
	}
	return l.sized(func(vg.Length) vg.Length { return schematicHeight }, func(c draw.Canvas) {
		newSchematic(c, survival, gates).draw(c)
	}), nil
}

// schematic is the layout of the picture.
type schematic struct {
	survival    depth.Survival
	gates       depth.Gates
	left, right vg.Length // of the row of places
	end         vg.Length // width of the stem's place, and of the classifier's
	pitch, half vg.Length // from block to block, and half a block's width
	detailed    bool      // few and wide enough blocks to write in them
	striped     bool      // too many to draw their shortcuts
}

// Heights in points above the drawing's lower edge.
const (
	countY             = 6
	wireY              = 54 // the row of blocks
	blockHalf          = 15 // half the height of a block
	shortcutY          = wireY + 30
	barsFoot, barsHead = 116, 184 // p = 0 and p = 1
	schematicHeight    = 204
)

// newSchematic lays the picture out over a canvas.
func newSchematic(c draw.Canvas, survival depth.Survival, gates depth.Gates) schematic {
	s := schematic{survival: survival, gates: gates, left: c.Min.X + 28, right: c.Max.X}
	s.end = max(40, (s.right-s.left)/vg.Length(len(gates)+2))
	s.pitch = (s.right - s.left - 2*s.end) / vg.Length(len(gates))
	s.half = min(s.pitch*0.29, 20)
	if s.striped = len(gates) > maxDrawn || s.pitch < 4; s.striped {
		s.half = s.pitch / 2
	}
	s.detailed = len(gates) <= 16 && s.pitch >= 24
	return s
}

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
	s.drawBars(c)
	s.drawNetwork(c)
	count := fmt.Sprintf("open here: %d of %d blocks; on average %s", s.gates.Open(), len(s.gates),
		say.Decimal(math.Round(s.survival.ExpectedOpen()*100)/100))
	right := text(bold(textSize), blue)
	right.XAlign, right.YAlign = draw.XRight, draw.YCenter
	c.FillText(right, vg.Point{X: s.right, Y: c.Min.Y + countY}, count)
}

// drawBars draws the survival probabilities above their blocks, including that of the stem, which is always open.
func (s schematic) drawBars(c draw.Canvas) {
	height := func(p float64) vg.Length { return c.Min.Y + barsFoot + vg.Length(p)*(barsHead-barsFoot) }
	for _, p := range []float64{0, 0.5, 1} {
		style := draw.LineStyle{Color: thin, Width: 0.7}
		if p == 0 {
			style.Color = grey
		}
		c.StrokeLine2(style, s.left, height(p), s.right, height(p))
		label := text(sans(smallSize), grey)
		label.XAlign, label.YAlign = draw.XRight, draw.YCenter
		c.FillText(label, vg.Point{X: s.left - 5, Y: height(p)}, say.Decimal(p))
	}
	title := centered(text(sans(smallSize), grey))
	title.Rotation = math.Pi / 2
	c.FillText(fit(title, "survival probability", barsHead-barsFoot+30), vg.Point{X: c.Min.X - 1, Y: (height(0) + height(1)) / 2},
		"survival probability")
	half := min(s.endHalf(), max(s.half, 8))
	s.drawBar(c, 0, half, 1, height, thin, grey, grey)
	for i, p := range s.survival {
		fill, line, label := blue, blue, pale
		if !s.gates[i] {
			fill, label = pale, blue
		}
		s.drawBar(c, i+1, s.half, p, height, fill, line, label)
		open := 0.0
		if s.gates[i] {
			open = 1
		}
		at := vg.Point{X: s.x(i + 1), Y: height(p)}
		notesOf(c).take(value("survival probability", float64(i+1), p, at), value("open in this minibatch", float64(i+1), open, at))
	}
}

// drawBar draws the bar of block l, or of the stem (0), with its number where there is room, or at an end of the row.
func (s schematic) drawBar(c draw.Canvas, l int, half vg.Length, p float64, height func(float64) vg.Length,
	fill, line, within role) {
	x := s.x(l)
	foot := height(0)
	if s.striped && l > 0 {
		box(c, x-half, foot, x+half, height(p), fill, nil, nil)
	} else {
		box(c, x-half, foot, x+half, height(p), fill, line, nil)
	}
	label := centered(text(sans(smallSize), within))
	value := fmt.Sprintf("%.2f", p)
	switch {
	case s.detailed && p > 0.2:
		c.FillText(fit(label, value, 2*half-2), vg.Point{X: x, Y: height(p) - 8}, value)
	case s.detailed || l <= 1 && (l == 1 || s.x(1)-s.x(0) > 20) || l == len(s.survival): // of many bars the ends say enough
		label.Color = ink
		c.FillText(label, vg.Point{X: x, Y: height(p) + 7}, value)
	}
	if s.detailed {
		rich(c, centered(text(sans(smallSize), grey)), vg.Point{X: x, Y: foot - 8}, fmt.Sprintf("p_{%d}", l))
	}
}

func (s schematic) drawNetwork(c draw.Canvas) {
	blocks, wireY := len(s.gates), c.Min.Y+wireY
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
	blocks, wireY := len(s.gates), c.Min.Y+wireY
	c.StrokeLine2(wire, s.x(0), wireY, s.x(blocks+1)-s.endHalf()-1, wireY)
	for l := 1; l <= blocks; l++ {
		if x := s.x(l); s.gates[l-1] {
			box(c, x-s.half, wireY-blockHalf, x+s.half, wireY+blockHalf, blue, nil, nil)
		}
		if l == 1 || l%s.every(blocks) == 0 && s.x(blocks)-s.x(l) > 20 {
			c.FillText(centered(text(sans(smallSize), grey)), vg.Point{X: s.x(l), Y: wireY - blockHalf - 9}, fmt.Sprint(l))
		}
	}
	arrow(c, vg.Point{X: s.x(blocks+1) - s.endHalf(), Y: wireY})
	s.drawEnds(c)
}

// every is the number of stripes from one number to the next.
func (s schematic) every(blocks int) int {
	if blocks <= maxDrawn {
		return 10
	}
	if s.pitch < 0.25 {
		return 200
	}
	return 100
}

// labelBlock writes the block's function into it and its gate below, or every tenth number where there is no room.
func (s schematic) labelBlock(c draw.Canvas, l int) {
	x, wireY := s.x(l), c.Min.Y+wireY
	below := vg.Point{X: x, Y: wireY - blockHalf - 9}
	label := centered(text(sans(smallSize), grey))
	if !s.detailed {
		if l == 1 || l%10 == 0 || s.pitch >= 12 {
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
	half, wireY := s.endHalf(), c.Min.Y+wireY
	for i, name := range []string{"stem", "classify"} {
		x := s.x(i * (len(s.gates) + 1))
		box(c, x-half, wireY-blockHalf, x+half, wireY+blockHalf, thin, grey, nil)
		c.FillText(centered(text(sans(smallSize), grey)), vg.Point{X: x, Y: wireY - blockHalf - 9}, name)
	}
}
