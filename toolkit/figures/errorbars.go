package figures

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bars are the spreads of points, for gonum's plotter of error bars.
type bars struct {
	plotter.XYs
	plotter.YErrors
}

// add adds the spread of a point, from low below it to high above it, both not negative; none if both are 0 or not known.
func (b *bars) add(x, y, low, high float64) {
	if low+high > 0 && !math.IsNaN(y) {
		b.XYs = append(b.XYs, plotter.XY{X: x, Y: y})
		b.YErrors = append(b.YErrors, struct{ Low, High float64 }{low, high})
	}
}

// addErrorBars draws the spreads.
func addErrorBars(p *plot.Plot, line color.Color, b bars) {
	add(p, &plotter.YErrorBars{XYs: b.XYs, YErrors: b.YErrors, LineStyle: errorLine(line), CapWidth: 6})
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
