package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
)

// HeatMap draws Fig. 8 right: the test error by depth and p_L, as a colour, with the number in each cell and a colour
// bar. The best cell of each depth has a frame.
func HeatMap(provenance Provenance, g outcome.Grid) (*Figure, error) {
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
	l := layout{headline: "Test error by depth and survival probability",
		provenance: provenance.With("The framed cell is the best of its depth.")}
	rows := vg.Length(len(g.Survival))
	name := "Test error (%)"
	if several {
		name = "Test error (%), mean ± standard deviation over seeds"
	}
	return l.sized(func(vg.Length) vg.Length { return min(60+rows*30, 4*vg.Inch) }, func(c draw.Canvas) {
		c = title(c, name)
		left, right := vg.Length(52), vg.Length(86)
		if c.Max.X-c.Min.X < narrow {
			left, right = 40, 66
		}
		area := draw.Crop(c, left, -right, 32, 0)
		width := (area.Max.X - area.Min.X) / vg.Length(len(g.Layers))
		area.Max.X = area.Min.X + width*vg.Length(len(g.Layers))
		height := (area.Max.Y - area.Min.Y) / rows
		label := centered(text(sans(smallSize), grey))
		for i, survival := range g.Survival {
			y := area.Max.Y - height*(vg.Length(i)+0.5)
			c.FillText(label, vg.Point{X: area.Min.X - 16, Y: y}, fmt.Sprintf("%.1f", survival))
			for j := range g.Layers {
				middle := vg.Point{X: area.Min.X + width*(vg.Length(j)+0.5), Y: y}
				drawCell(g, c, i, j, around(middle, vg.Point{X: width/2 - 0.7, Y: height/2 - 0.7}), low, high)
			}
		}
		for j, layers := range g.Layers {
			c.FillText(label, vg.Point{X: area.Min.X + width*(vg.Length(j)+0.5), Y: area.Min.Y - 9}, fmt.Sprint(layers))
		}
		c.FillText(label, vg.Point{X: (area.Min.X + area.Max.X) / 2, Y: area.Min.Y - 23}, "depth (layers)")
		axis := label
		axis.Rotation = math.Pi / 2
		c.FillText(axis, vg.Point{X: c.Min.X + 8, Y: (area.Min.Y + area.Max.Y) / 2}, "survival probability")
		colorBar(draw.Crop(c, area.Max.X+14-c.Min.X, area.Max.X+34-c.Max.X, 32, 0), low, high)
	}), nil
}

// drawCell draws a cell in a rectangle: its shade, its number, and a frame around the best of its depth.
func drawCell(g outcome.Grid, c draw.Canvas, i, j int, r vg.Rectangle, low, high float64) {
	e := g.Errors[i][j]
	middle := vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}
	width, height := r.Size().X, r.Size().Y
	if math.IsNaN(e.Mean) {
		box(c, r.Min.X, r.Min.Y, r.Max.X, r.Max.Y, nil, thin, []vg.Length{2, 2})
		style := centered(text(sans(smallSize), grey))
		c.FillText(fit(style, "no run", width-3), middle, "no run")
		return
	}
	n := estimated(fmt.Sprintf("p_L = %s", say.Decimal(g.Survival[i])), float64(g.Layers[j]), e, middle)
	n.axis = "layers"
	notesOf(c).take(n)
	fill := shade((e.Mean - low) / max(high-low, 1e-9))
	box(c, r.Min.X, r.Min.Y, r.Max.X, r.Max.Y, fill, nil, nil)
	style := centered(text(sans(textSize), onShade(fill)))
	if g.Best(i, j) {
		style.Font = bold(textSize)
		c.StrokeLines(draw.LineStyle{Color: ink, Width: 1.4},
			[]vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}, {X: r.Min.X, Y: r.Min.Y - 0.7}})
	}
	value, spread := fmt.Sprintf("%.2f", e.Mean), fmt.Sprintf(" ± %.2f", e.Deviation)
	switch {
	case e.N <= 1:
		c.FillText(fit(style, value, width-4), middle, value)
	case style.Width(value+spread) <= 1.3*width || height < 22:
		c.FillText(fit(style, value+spread, width-4), middle, value+spread)
	default: // in two lines
		c.FillText(fit(style, value, width-3), vg.Point{X: middle.X, Y: middle.Y + 5}, value)
		style.Font.Size = smallSize
		c.FillText(fit(style, spread[1:], width-3), vg.Point{X: middle.X, Y: middle.Y - 5}, spread[1:])
	}
}

// colorBar draws the scale of colours over the whole canvas, with its ticks at the right. gonum's plotter.ColorBar paints
// a bitmap, which has no theme and is blurred where a vector format is enlarged.
func colorBar(c draw.Canvas, low, high float64) {
	const steps = 128
	height := (c.Max.Y - c.Min.Y) / steps
	for i := range steps {
		foot := c.Min.Y + height*vg.Length(i)
		box(c, c.Min.X, foot, c.Max.X, min(foot+2*height, c.Max.Y), shade((float64(i)+0.5)/steps), nil, nil)
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
