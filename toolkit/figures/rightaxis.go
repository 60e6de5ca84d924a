package figures

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// RightAxis is a plotter that gives a plot, which has one vertical axis in gonum/plot, a second one at its right edge, a
// logarithmic one, with the lines that belong to it. It shares the plot's horizontal axis and has no influence on the
// vertical one. The label stands above the axis, so that it is read without turning the head.
type RightAxis struct {
	low, high float64
	label     string
	lines     []rightLine
}

type rightLine struct {
	points plotter.XYs
	style  draw.LineStyle
	series seriesStyle // of a line whose values are the figure's
}

// NewLogRightAxis returns an axis in the theme of the package. A range of less than a factor of two is widened, so that
// equal values have an axis too.
func NewLogRightAxis(label string, low, high float64) *RightAxis {
	if high < 2*low {
		low, high = low/1.5, high*1.5
	}
	return &RightAxis{low: low, high: high, label: label}
}

// tickLength is the length of a tick of a [RightAxis].
const tickLength = 3

// Add draws points as a line on the axis, a single one as a dot. Values that the axis cannot show are left out.
func (a *RightAxis) Add(points plotter.XYs, style draw.LineStyle) {
	a.lines = append(a.lines, rightLine{points: positive(points), style: style})
}

// add is Add for a series of the figure.
func (a *RightAxis) add(points plotter.XYs, s seriesStyle) {
	a.lines = append(a.lines, rightLine{positive(points), s.line(), s})
}

// at is where a value lies on the axis, from 0 to 1.
func (a *RightAxis) at(value float64) float64 { return plot.LogScale{}.Normalize(a.low, a.high, value) }

// Plot draws the lines and the axis: it implements plot.Plotter.
func (a *RightAxis) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	for i, path := range a.paths(toX, c) {
		if len(path) == 1 {
			c.DrawGlyph(dot(a.lines[i].style), path[0])
		}
		c.StrokeLines(a.lines[i].style, c.ClipLinesXY(path)...)
		if line := a.lines[i]; line.series.name != "" {
			takeCurve(notesOf(c), line.series, line.points, p.X.Label.Text, func(xy plotter.XY) vg.Point {
				return vg.Point{X: toX(xy.X), Y: c.Y(a.at(xy.Y))}
			}, c)
		}
	}
	x := c.Max.X
	line, label := draw.LineStyle{Color: grey, Width: 0.7}, text(sans(smallSize), grey)
	c.StrokeLine2(line, x, c.Min.Y, x, c.Max.Y)
	label.YAlign = draw.YCenter
	for _, tick := range a.ticks() {
		y := c.Y(a.at(tick.Value))
		c.StrokeLine2(line, x, y, x+tickLength, y)
		c.FillText(label, vg.Point{X: x + tickLength + 2, Y: y}, tick.Label)
	}
	label.XAlign, label.YAlign = draw.XRight, draw.YBottom
	c.FillText(label, vg.Point{X: x + a.room(), Y: c.Max.Y + 6}, a.label)
}

// paths returns the lines on a canvas; they may go beyond its edges.
func (a *RightAxis) paths(toX func(float64) vg.Length, c draw.Canvas) [][]vg.Point {
	paths := make([][]vg.Point, len(a.lines))
	for i, line := range a.lines {
		for _, xy := range line.points {
			paths[i] = append(paths[i], vg.Point{X: toX(xy.X), Y: c.Y(a.at(xy.Y))})
		}
	}
	return paths
}

// GlyphBoxes asks the plot for the room that the tick labels need: it implements plot.GlyphBoxer.
func (a *RightAxis) GlyphBoxes(*plot.Plot) []plot.GlyphBox {
	return []plot.GlyphBox{{X: 1, Y: 0.5, Rectangle: vg.Rectangle{Max: vg.Point{X: a.room()}}}}
}

// room is the width right of the axis line.
func (a *RightAxis) room() vg.Length {
	var width vg.Length
	for _, tick := range a.ticks() {
		width = max(width, text(sans(smallSize), grey).Width(tick.Label))
	}
	return tickLength + 2 + width
}

// ticks returns the labelled ticks within the axis.
func (a *RightAxis) ticks() []plot.Tick {
	var ticks []plot.Tick
	for _, tick := range (logTicks{}).Ticks(a.low, a.high) {
		if at := a.at(tick.Value); at >= -1e-9 && at <= 1+1e-9 && !math.IsNaN(at) && tick.Label != "" {
			ticks = append(ticks, tick)
		}
	}
	return ticks
}
