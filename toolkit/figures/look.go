package figures

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// look is how one kind of run is drawn everywhere, and in the legend.
type look struct {
	name   string
	color  role
	glyph  draw.GlyphDrawer // nil: no marker
	dashes []vg.Length
	kind   sample
	width  vg.Length // of the line; 0: 1.6
	phase  float64   // where the few markers of a long curve stand, as a part of their distance
}

// sample is what a look's entry in a legend shows.
type sample int

const (
	aLine  sample = iota // with its marker, if it has one
	aBar                 // filled
	aFrame               // empty, with a dashed outline
	aPoint               // a marker without a line
)

var (
	constantLook   = look{name: "constant depth", color: red, glyph: draw.CircleGlyph{}, phase: 0.3}
	stochasticLook = look{name: "stochastic depth", color: blue, glyph: draw.PyramidGlyph{}, dashes: []vg.Length{5, 2}, phase: 0.8}
	uniformLook    = look{name: "uniform rule", color: green, glyph: draw.BoxGlyph{}, dashes: []vg.Length{2, 2}, phase: 0.55}
)

func (l look) named(name string) look {
	l.name = name
	return l
}

func (l look) as(kind sample) look {
	l.kind = kind
	return l
}

// readOff is the look of values read off a drawing: hollow markers.
func (l look) readOff() look {
	switch l.glyph.(type) {
	case draw.CircleGlyph:
		l.glyph = draw.RingGlyph{}
	case draw.PyramidGlyph:
		l.glyph = draw.TriangleGlyph{}
	case draw.BoxGlyph:
		l.glyph = draw.SquareGlyph{}
	}
	return l
}

// Curves of so many points, at most, have a marker at each; longer ones have a few, to be told apart by.
const everyMarked, fewMarkers = 25, 8

// of is the look of these curves: finer where there are many points, and solid where they are noisy, which dashes would
// break up.
func (l look) of(curves ...plotter.XYs) look {
	for _, points := range curves {
		if len(points) > 60 {
			l.width = 1
			if l.dashes != nil {
				l.dashes = []vg.Length{9, 1.5}
			}
		}
	}
	for _, points := range curves {
		if noisy(points) {
			l.dashes = nil
		}
	}
	return l
}

// noisy reports whether a curve goes up and down so often, at a quarter of its points or more, that dashes cannot be
// followed.
func noisy(points plotter.XYs) bool {
	turns := 0
	for i := 2; i < len(points); i++ {
		if (points[i].Y-points[i-1].Y)*(points[i-1].Y-points[i-2].Y) < 0 {
			turns++
		}
	}
	return len(points) > everyMarked && 4*turns >= len(points)
}

func (l look) line() draw.LineStyle {
	width := l.width
	if width == 0 {
		width = 1.6
	}
	return draw.LineStyle{Color: l.color, Width: width, Dashes: l.dashes}
}

func (l look) marker(radius vg.Length) draw.GlyphStyle {
	return draw.GlyphStyle{Color: l.color, Radius: radius, Shape: l.glyph}
}

// addCurve draws points, which must be finite, as a line, with a marker at each while there are few of them.
func addCurve(p *plot.Plot, l look, points plotter.XYs) {
	if len(points) == 0 {
		return
	}
	l = l.of(points)
	add(p, &plotter.Line{XYs: points, LineStyle: l.line()})
	if l.glyph != nil {
		addMarkers(p, l, 2.4, l.marked(points))
	}
}

// marked are the points of a curve that have markers.
func (l look) marked(points plotter.XYs) plotter.XYs {
	if len(points) <= everyMarked {
		return points
	}
	var kept plotter.XYs
	for i := range fewMarkers {
		kept = append(kept, points[int((float64(i)+l.phase)/fewMarkers*float64(len(points)))])
	}
	return kept
}

// addMarkers draws a marker at each point.
func addMarkers(p *plot.Plot, l look, radius vg.Length, points plotter.XYs) {
	add(p, &plotter.Scatter{XYs: points, GlyphStyle: l.marker(radius)})
}

// legend draws the looks in a row from x to the right.
func legend(c draw.Canvas, at vg.Point, looks ...look) {
	label := text(sans(textSize), ink)
	label.YAlign = draw.YCenter
	for _, l := range looks {
		switch l.kind {
		case aBar:
			box(c, at.X+5, at.Y-4.5, at.X+19, at.Y+4.5, l.color, nil, nil)
		case aFrame:
			box(c, at.X+5, at.Y-4.5, at.X+19, at.Y+4.5, nil, l.color, []vg.Length{2.5, 2})
		case aLine:
			c.StrokeLine2(l.line(), at.X, at.Y, at.X+24, at.Y)
			fallthrough
		default:
			c.DrawGlyphNoClip(l.marker(2.6), vg.Point{X: at.X + 12, Y: at.Y})
		}
		c.FillText(fit(label, l.name, c.Max.X-margin-at.X-30), vg.Point{X: at.X + 30, Y: at.Y}, l.name)
		at.X += 30 + label.Width(l.name) + 20
	}
}

// legendRows breaks a legend into rows no wider than width.
func legendRows(looks []look, width vg.Length) [][]look {
	var rows [][]look
	var used vg.Length
	label := text(sans(textSize), ink)
	for _, l := range looks {
		w := 50 + label.Width(l.name)
		if len(rows) == 0 || used+w-20 > width {
			rows, used = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], l)
		used += w
	}
	return rows
}
