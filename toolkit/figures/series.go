package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/runs"
)

// measure is a column of the log that a figure shows.
type measure struct {
	name string
	of   func(runs.Row) float64
}

var (
	testError       = measure{"test error", func(r runs.Row) float64 { return r.TestError }}
	validationError = measure{"validation error", func(r runs.Row) float64 { return r.ValidationError }}
	trainLoss       = measure{"training loss", func(r runs.Row) float64 { return r.TrainLoss }}
)

// points are a measure's finite values over the epochs; a diverged run's NaN are left out.
func (m measure) points(rows []runs.Row) plotter.XYs {
	var points plotter.XYs
	for _, row := range rows {
		if y := m.of(row); !math.IsNaN(y) && !math.IsInf(y, 0) {
			points = append(points, plotter.XY{X: row.Epoch, Y: y})
		}
	}
	return points
}

// positive are the points that a logarithmic axis can show.
func positive(points plotter.XYs) plotter.XYs {
	var kept plotter.XYs
	for _, p := range points {
		if p.Y > 0 {
			kept = append(kept, p)
		}
	}
	return kept
}

// addCurve draws points as a line, with a marker at each while there are few of them.
func addCurve(p *plot.Plot, l look, points plotter.XYs) error {
	if len(points) == 0 {
		return nil
	}
	line, markers, err := plotter.NewLinePoints(points)
	if err != nil {
		return fmt.Errorf("cannot draw %s: %w", l.name, err)
	}
	line.LineStyle = l.line()
	if len(points) > 60 { // a noisy curve: finer, and with dashes long enough to follow
		line.Width = 1
		if l.dashes != nil {
			line.Dashes = []vg.Length{9, 1.5}
		}
	}
	p.Add(line)
	if len(points) <= 25 {
		markers.GlyphStyle = draw.GlyphStyle{Color: l.color, Radius: 2.4, Shape: l.glyph}
		p.Add(markers)
	}
	return nil
}

// spread returns the lowest and highest value of all points.
func spread(lists ...plotter.XYs) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, points := range lists {
		for _, p := range points {
			low, high = min(low, p.Y), max(high, p.Y)
		}
	}
	return low, high
}

// tag is a label in the margin beside a plot, at the height of what it names.
type tag struct {
	y     vg.Length // wanted; spreadTags moves it
	text  string
	style draw.TextStyle
}

// spreadTags moves tags apart until none is nearer than gap to another and all are within [low, high], and keeps
// their order from bottom to top.
func spreadTags(tags []tag, gap, low, high vg.Length) {
	for i := range tags { // up from below
		floor := low
		if i > 0 {
			floor = tags[i-1].y + gap
		}
		tags[i].y = max(tags[i].y, floor)
	}
	for i := len(tags) - 1; i >= 0; i-- { // and down again from above
		ceiling := high
		if i < len(tags)-1 {
			ceiling = tags[i+1].y - gap
		}
		tags[i].y = min(tags[i].y, ceiling)
	}
}

// legend draws the looks in a row from x to the right.
func legend(c draw.Canvas, at vg.Point, looks ...look) {
	label := text(sans(textSize), ink)
	label.YAlign = draw.YCenter
	for _, l := range looks {
		c.StrokeLine2(l.line(), at.X, at.Y, at.X+24, at.Y)
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: l.color, Radius: 2.6, Shape: l.glyph}, vg.Point{X: at.X + 12, Y: at.Y})
		c.FillText(label, vg.Point{X: at.X + 30, Y: at.Y}, l.name)
		at.X += 30 + label.Width(l.name) + 20
	}
}
