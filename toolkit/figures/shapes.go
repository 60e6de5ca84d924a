package figures

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// box is a rectangle with an outline; fill may be nil.
func box(c draw.Canvas, x0, y0, x1, y1 vg.Length, fill, line color.Color, dashes []vg.Length) {
	corners := []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}}
	if fill != nil {
		c.FillPolygon(fill, corners)
	}
	if line != nil {
		c.StrokeLines(draw.LineStyle{Color: line, Width: 0.8, Dashes: dashes}, append(corners, corners[0]))
	}
}

// shortcut is the identity's path over a block: up from the wire, across with round corners, and down again.
func shortcut(c draw.Canvas, style draw.LineStyle, x, fork vg.Length) {
	bridge(c, style, vg.Point{X: x - fork, Y: c.Min.Y + wireY}, x+fork, c.Min.Y+shortcutY, min(fork*0.6, 7))
}

// bridge is a path from a point up to a height, across with round corners, and down again at x.
func bridge(c draw.Canvas, style draw.LineStyle, from vg.Point, x, height, r vg.Length) {
	var path vg.Path
	path.Move(from)
	path.Line(vg.Point{X: from.X, Y: height - r})
	path.Arc(vg.Point{X: from.X + r, Y: height - r}, r, math.Pi, -math.Pi/2)
	path.Line(vg.Point{X: x - r, Y: height})
	path.Arc(vg.Point{X: x - r, Y: height - r}, r, math.Pi/2, -math.Pi/2)
	path.Line(vg.Point{X: x, Y: from.Y})
	c.SetLineStyle(style)
	c.Stroke(path)
}

// plus is the addition at the end of an open block.
func plus(c draw.Canvas, at vg.Point) {
	const r = 4
	c.DrawGlyphNoClip(draw.GlyphStyle{Color: paper, Radius: r, Shape: draw.CircleGlyph{}}, at)
	ring(c, blue, at, r)
	style := draw.LineStyle{Color: blue, Width: 0.9}
	c.StrokeLine2(style, at.X-r*0.55, at.Y, at.X+r*0.55, at.Y)
	c.StrokeLine2(style, at.X, at.Y-r*0.55, at.X, at.Y+r*0.55)
}

// arrow is the head of an arrow to the right, its tip at tip.
func arrow(c draw.Canvas, tip vg.Point) {
	c.FillPolygon(blue, []vg.Point{tip, {X: tip.X - 6, Y: tip.Y + 3.2}, {X: tip.X - 6, Y: tip.Y - 3.2}})
}

// ring is a circle around a point of a curve.
func ring(c draw.Canvas, line color.Color, at vg.Point, r vg.Length) {
	var path vg.Path
	path.Move(vg.Point{X: at.X + r, Y: at.Y})
	path.Arc(at, r, 0, 2*math.Pi)
	path.Close()
	c.SetLineStyle(draw.LineStyle{Color: line, Width: 1.3})
	c.Stroke(path)
}
