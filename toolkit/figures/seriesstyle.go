package figures

import (
	"cmp"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// seriesStyle is how one kind of run is drawn everywhere, and in the legend.
type seriesStyle struct {
	name   string
	says   string // in the legend; "": its name
	curve  string // the name of this curve, if it is not one of several that are counted: mean, fit
	color  role
	faded  float64          // the part of the ground in its colour
	glyph  draw.GlyphDrawer // nil: no marker
	dashes []vg.Length
	kind   sample
	width  vg.Length // of the line; 0: 1.6
	phase  float64   // shift of the few markers of a long curve, as a part of their distance
}

// sample is what a style's entry in a legend shows.
type sample int

const (
	aLine  sample = iota // with its marker, if it has one
	aBar                 // filled
	aFrame               // empty, with a dashed outline
	aPoint               // a marker without a line
)

var (
	constantStyle   = seriesStyle{name: "constant depth", color: red, glyph: draw.CircleGlyph{}, phase: 0.3}
	stochasticStyle = seriesStyle{name: "stochastic depth", color: blue, glyph: draw.PyramidGlyph{},
		dashes: []vg.Length{5, 2}, phase: 0.8}
	uniformStyle = seriesStyle{name: "uniform rule", color: green, glyph: draw.BoxGlyph{}, dashes: []vg.Length{2, 2}, phase: 0.55}
)

func (s seriesStyle) named(name string) seriesStyle {
	s.name = name
	return s
}

// saying is the style with a longer text in the legend.
func (s seriesStyle) saying(text string) seriesStyle {
	s.says = text
	return s
}

// published is the style of the paper's values beside those of runs: pale.
func (s seriesStyle) published() seriesStyle {
	s.name += ", published"
	s.faded = 0.5
	return s
}

// of is the style for a curve with this name: mean, fit.
func (s seriesStyle) of(curve string) seriesStyle {
	s.curve = curve
	return s
}

// inLegend is what the legend says.
func (s seriesStyle) inLegend() string { return cmp.Or(s.says, s.name) }

func (s seriesStyle) as(kind sample) seriesStyle {
	s.kind = kind
	return s
}

// readOff is the style of values read off a drawing: hollow markers.
func (s seriesStyle) readOff() seriesStyle {
	switch s.glyph.(type) {
	case draw.CircleGlyph:
		s.glyph = draw.RingGlyph{}
	case draw.PyramidGlyph:
		s.glyph = draw.TriangleGlyph{}
	case draw.BoxGlyph:
		s.glyph = draw.SquareGlyph{}
	}
	return s
}

// Curves of up to everyMarked points have a marker at each; longer ones have fewMarkers, which identify them.
const everyMarked, fewMarkers = 25, 8

// adapted is the style for these curves: finer if they have many points, and solid if they are noisy, where dashes would
// break them up.
func (s seriesStyle) adapted(curves ...plotter.XYs) seriesStyle {
	for _, points := range curves {
		if len(points) > 60 {
			s.width = 1
			if s.dashes != nil {
				s.dashes = []vg.Length{9, 1.5}
			}
		}
	}
	for _, points := range curves {
		if noisy(points) {
			s.dashes = nil
		}
	}
	return s
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

// hue is the colour of the series.
func (s seriesStyle) hue() hue { return hue{s.name, s.color, s.faded} }

func (s seriesStyle) line() draw.LineStyle {
	return draw.LineStyle{Color: s.hue(), Width: cmp.Or(s.width, 1.6), Dashes: s.dashes}
}

func (s seriesStyle) marker(radius vg.Length) draw.GlyphStyle {
	return draw.GlyphStyle{Color: s.hue(), Radius: radius, Shape: s.glyph}
}

// addCurve draws points, which must be finite, as a line, with a marker at each while there are few of them.
func addCurve(p *plot.Plot, s seriesStyle, points plotter.XYs) {
	if len(points) == 0 {
		return
	}
	s = s.adapted(points)
	if s.glyph != nil {
		add(p, &plotter.Line{XYs: points, LineStyle: s.line()})
		addMarkers(p, s, 2.4, s.marked(points))
	} else {
		addLine(p, s.line(), points)
	}
	add(p, noted{s, points})
}

// addLine draws points as a line without markers; a single one, which makes no line, is a dot.
func addLine(p *plot.Plot, style draw.LineStyle, points plotter.XYs) {
	if len(points) == 1 {
		add(p, &plotter.Scatter{XYs: points, GlyphStyle: dot(style)})
		return
	}
	add(p, &plotter.Line{XYs: points, LineStyle: style})
}

// dot is the mark of a curve with one point.
func dot(style draw.LineStyle) draw.GlyphStyle {
	return draw.GlyphStyle{Color: style.Color, Radius: 1.4 + style.Width/2, Shape: draw.CircleGlyph{}}
}

// marked returns the points of a curve that have markers.
func (s seriesStyle) marked(points plotter.XYs) plotter.XYs {
	if len(points) <= everyMarked {
		return points
	}
	var kept plotter.XYs
	for i := range fewMarkers {
		kept = append(kept, points[int((float64(i)+s.phase)/fewMarkers*float64(len(points)))])
	}
	return kept
}

// addPoints draws points as markers without a line.
func addPoints(p *plot.Plot, s seriesStyle, points plotter.XYs) {
	addMarkers(p, s, 3, points)
	add(p, noted{s, points})
}

// addMarkers draws a marker at each point.
func addMarkers(p *plot.Plot, s seriesStyle, radius vg.Length, points plotter.XYs) {
	add(p, &plotter.Scatter{XYs: points, GlyphStyle: s.marker(radius)})
}

// legend draws the styles in a row from x to the right.
func legend(c draw.Canvas, at vg.Point, styles ...seriesStyle) {
	label := text(sans(textSize), ink)
	label.YAlign = draw.YCenter
	for _, s := range styles {
		notesOf(c).legend = append(notesOf(c).legend, s.name)
		switch s.kind {
		case aBar:
			box(c, at.X+5, at.Y-4.5, at.X+19, at.Y+4.5, s.hue(), nil, nil)
		case aFrame:
			box(c, at.X+5, at.Y-4.5, at.X+19, at.Y+4.5, nil, s.hue(), []vg.Length{2.5, 2})
		case aLine:
			c.StrokeLine2(s.line(), at.X, at.Y, at.X+24, at.Y)
			fallthrough
		default:
			c.DrawGlyphNoClip(s.marker(2.6), vg.Point{X: at.X + 12, Y: at.Y})
		}
		prose(c, fit(label, s.measured(), c.Max.X-margin-at.X-30), vg.Point{X: at.X + 30, Y: at.Y}, s.inLegend())
		at.X += 30 + widthOn(c, label, s.measured()) + 20
	}
}

// measured is the text as wide as it is drawn, where the index of p_L stands below the line instead of an underscore.
func (s seriesStyle) measured() string { return strings.ReplaceAll(s.inLegend(), "p_", "p") }

// legendRows breaks a legend into rows no wider than width.
func legendRows(styles []seriesStyle, width vg.Length) [][]seriesStyle {
	var rows [][]seriesStyle
	var used vg.Length
	label := text(sans(textSize), ink)
	for _, s := range styles {
		w := 50 + label.Width(s.measured())
		if len(rows) == 0 || used+w-20 > width {
			rows, used = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], s)
		used += w
	}
	return rows
}

// bars are the spreads of points, for gonum's plotter of error bars.
type bars struct {
	plotter.XYs
	plotter.YErrors
}

// add adds the spread of a point at x, from low below it to high above it, both not negative; none if both are 0 or not
// known.
func (b *bars) add(x, y, low, high float64) {
	if low+high > 0 && !math.IsNaN(y) {
		b.XYs = append(b.XYs, plotter.XY{X: x, Y: y})
		b.YErrors = append(b.YErrors, struct{ Low, High float64 }{low, high})
	}
}

// addErrorBars draws the spreads of a series.
func addErrorBars(p *plot.Plot, series string, line color.Color, b bars) {
	add(p, spreadsOf{series, b})
	add(p, errorBars{b, line})
}

// errorBars is gonum's plotter of error bars, without those left and right of the frame.
type errorBars struct {
	bars
	line color.Color
}

// Plot draws the bars: it implements plot.Plotter.
func (e errorBars) Plot(c draw.Canvas, p *plot.Plot) {
	var within bars
	for i, xy := range e.XYs {
		if p.X.Min <= xy.X && xy.X <= p.X.Max {
			within.XYs, within.YErrors = append(within.XYs, xy), append(within.YErrors, e.YErrors[i])
		}
	}
	(&plotter.YErrorBars{XYs: within.XYs, YErrors: within.YErrors, LineStyle: errorLine(e.line), CapWidth: 6}).Plot(c, p)
}

func errorLine(line color.Color) draw.LineStyle { return draw.LineStyle{Color: line, Width: 0.9} }

// errorBar is a spread at a place that is no value of an axis, such as beside it, where gonum's plotter cannot draw.
func errorBar(c draw.Canvas, x, low, high vg.Length, line color.Color) {
	if high <= low {
		return
	}
	style := errorLine(line)
	c.StrokeLine2(style, x, low, x, high)
	c.StrokeLine2(style, x-3, low, x+3, low)
	c.StrokeLine2(style, x-3, high, x+3, high)
}
