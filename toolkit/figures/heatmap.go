package figures

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/runs"
)

// Grid is the test error, in percent, by depth and p_L. Errors[i][j] is of Survival[i] and Layers[j]; the mean is NaN
// where there is no run.
type Grid struct {
	Layers   []int
	Survival []float64 // p_L, from the top row to the bottom
	Errors   [][]Estimate
}

// GridOf averages runs over seeds, by depth and p_L. The runs must be of constant depth or of the linear rule, and
// differ in depth, p_L and seed only. Settings without a run are left empty.
func GridOf(list []*runs.Run) (Grid, error) {
	var g Grid
	if err := sameSettings(list, "depth", "seed"); err != nil {
		return g, err
	}
	type cell struct {
		layers   int
		survival float64
	}
	cells := map[cell]Estimate{}
	for _, group := range bySetting(list) {
		r := group[0].Recipe
		if r.Rule != "linear" && !group[0].Recipe.IsConstant() {
			return g, fmt.Errorf("the run %s has the %s rule: the grid is of the linear one", group[0].Name, r.Rule)
		}
		e, err := estimateOf(group)
		if err != nil {
			return g, err
		}
		at := cell{r.Depth, group[0].Recipe.LastSurvival()}
		cells[at] = e
		g.Layers, g.Survival = append(g.Layers, at.layers), append(g.Survival, at.survival)
	}
	slices.Sort(g.Layers)
	g.Layers = slices.Compact(g.Layers)
	slices.Sort(g.Survival)
	g.Survival = slices.Compact(g.Survival)
	slices.Reverse(g.Survival)
	for _, survival := range g.Survival {
		row := make([]Estimate, len(g.Layers))
		for j, layers := range g.Layers {
			row[j] = Estimate{Mean: math.NaN()}
			if e, ok := cells[cell{layers, survival}]; ok {
				row[j] = e
			}
		}
		g.Errors = append(g.Errors, row)
	}
	return g, nil
}

// HeatMap draws Fig. 8 right: the test error by depth and p_L, as a colour, with the number in each cell and a colour
// bar. The best cell of each depth has a frame.
func HeatMap(about About, g Grid) (*Figure, error) {
	if len(g.Errors) != len(g.Survival) {
		return nil, fmt.Errorf("the grid has %d rows for %d survival probabilities", len(g.Errors), len(g.Survival))
	}
	low, high, several := math.Inf(1), math.Inf(-1), false
	for _, row := range g.Errors {
		if len(row) != len(g.Layers) {
			return nil, fmt.Errorf("the grid has %d columns for %d depths", len(row), len(g.Layers))
		}
		for _, e := range row {
			several = several || e.N > 1
			if !math.IsNaN(e.Mean) {
				low, high = min(low, e.Mean), max(high, e.Mean)
			}
		}
	}
	if low > high {
		return nil, fmt.Errorf("there is no test error to draw in the grid")
	}
	s := sheet{headline: "Test error by depth and survival probability", about: about.With("The framed cell is the best of its depth.")}
	rows := vg.Length(len(g.Survival))
	name := "Test error (%)"
	if several {
		name = "Test error (%), mean ± standard deviation over seeds"
	}
	return s.figure(min(60+rows*30, 4*vg.Inch), func(c draw.Canvas) {
		c = title(c, name)
		area := draw.Crop(c, 52, -86, 32, 0)
		width := min((area.Max.X-area.Min.X)/vg.Length(len(g.Layers)), 110)
		area.Max.X = area.Min.X + width*vg.Length(len(g.Layers))
		height := (area.Max.Y - area.Min.Y) / rows
		shade := func(v float64) float64 { return (v - low) / max(high-low, 1e-9) }
		label := centered(text(sans(smallSize), grey))
		for i, survival := range g.Survival {
			y := area.Max.Y - height*(vg.Length(i)+0.5)
			c.FillText(label, vg.Point{X: area.Min.X - 16, Y: y}, fmt.Sprintf("%.1f", survival))
			for j, e := range g.Errors[i] {
				x := area.Min.X + width*(vg.Length(j)+0.5)
				left, right, foot, head := x-width/2+0.7, x+width/2-0.7, y-height/2+0.7, y+height/2-0.7
				if math.IsNaN(e.Mean) {
					box(c, left, foot, right, head, nil, thin, []vg.Length{2, 2})
					c.FillText(label, vg.Point{X: x, Y: y}, "no run")
					continue
				}
				fill := ramp(shade(e.Mean))
				box(c, left, foot, right, head, fill, nil, nil)
				style := text(sans(textSize), readable(fill))
				if g.best(i, j) {
					style.Font = bold(textSize)
					c.StrokeLines(draw.LineStyle{Color: ink, Width: 1.4}, []vg.Point{{X: left, Y: foot}, {X: right, Y: foot}, {X: right, Y: head}, {X: left, Y: head}, {X: left, Y: foot - 0.7}})
				}
				value := fmt.Sprintf("%.2f", e.Mean)
				if e.N > 1 {
					value += fmt.Sprintf(" ± %.2f", e.Deviation)
				}
				c.FillText(centered(fit(style, value, width-6)), vg.Point{X: x, Y: y}, value)
			}
		}
		for j, layers := range g.Layers {
			c.FillText(label, vg.Point{X: area.Min.X + width*(vg.Length(j)+0.5), Y: area.Min.Y - 9}, fmt.Sprint(layers))
		}
		c.FillText(label, vg.Point{X: (area.Min.X + area.Max.X) / 2, Y: area.Min.Y - 23}, "depth (layers)")
		axis := label
		axis.Rotation = math.Pi / 2
		c.FillText(axis, vg.Point{X: c.Min.X + 8, Y: (area.Min.Y + area.Max.Y) / 2}, "survival probability")
		colorBar(draw.Crop(c, area.Max.X+24-c.Min.X, area.Max.X+46-c.Max.X, 32, 0), low, high)
	}), nil
}

// best reports whether a cell is the lowest of its column, which has others.
func (g Grid) best(i, j int) bool {
	others := 0
	for k := range g.Errors {
		if v := g.Errors[k][j].Mean; !math.IsNaN(v) {
			others++
			if v < g.Errors[i][j].Mean {
				return false
			}
		}
	}
	return others > 1
}

// colorBar draws the scale of colours over the whole canvas, with its ticks at the right.
func colorBar(c draw.Canvas, low, high float64) {
	const steps = 128
	height := (c.Max.Y - c.Min.Y) / steps
	for i := range steps {
		foot := c.Min.Y + height*vg.Length(i)
		box(c, c.Min.X, foot, c.Max.X, min(foot+2*height, c.Max.Y), ramp((float64(i)+0.5)/steps), nil, nil)
	}
	if high-low < 1e-9 {
		high = low + 1e-9
	}
	label := text(sans(smallSize), grey)
	label.YAlign = draw.YCenter
	for _, tick := range (niceTicks{}).Ticks(low, high) {
		y := c.Min.Y + (c.Max.Y-c.Min.Y)*vg.Length((tick.Value-low)/(high-low))
		c.StrokeLine2(draw.LineStyle{Color: grey, Width: 0.7}, c.Max.X, y, c.Max.X+3, y)
		c.FillText(label, vg.Point{X: c.Max.X + 6, Y: y}, tick.Label)
	}
}

// ramp goes from a pale yellow (low error) by green to a dark blue (high error); its lightness falls all the way, so
// that it reads in grey too.
func ramp(t float64) color.NRGBA {
	stops := []color.NRGBA{{0xff, 0xf7, 0xd6, 0xff}, {0xb8, 0xdf, 0xb0, 0xff}, {0x4f, 0xab, 0xb0, 0xff}, {0x1f, 0x6b, 0xa5, 0xff}, {0x12, 0x2f, 0x66, 0xff}}
	at := min(max(t, 0), 1) * float64(len(stops)-1)
	i := min(int(at), len(stops)-2)
	a, b, f := stops[i], stops[i+1], at-float64(i)
	mix := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + (float64(y)-float64(x))*f)) }
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

// readable is dark or pale text, whichever stands out from the fill.
func readable(fill color.NRGBA) color.Color {
	if 0.299*float64(fill.R)+0.587*float64(fill.G)+0.114*float64(fill.B) > 140 {
		return ink
	}
	return color.White
}
