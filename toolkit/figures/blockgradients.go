package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// BlockGradients are gradient magnitudes of a network by block: the mean absolute gradient of each block's first
// convolution, Magnitude[l-1] that of block l.
type BlockGradients struct {
	Title                string
	Constant, Stochastic []float64 // one of the two may be empty
}

// GradientsByBlock draws gradient magnitudes by block, from the input to the output: the panels stand one below the
// other, on one logarithmic axis. Fig. 7 shows the first block over the epochs; this shows all blocks at one time.
func GradientsByBlock(provenance Provenance, panels ...BlockGradients) (*Figure, error) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, panel := range panels {
		for _, magnitude := range append(append([]float64{}, panel.Constant...), panel.Stochastic...) {
			if magnitude > 0 {
				low, high = min(low, magnitude), max(high, magnitude)
			}
		}
	}
	if low > high {
		return nil, fmt.Errorf("there is no gradient magnitude to draw")
	}
	styles := [2]seriesStyle{constantStyle, stochasticStyle}
	for _, panel := range panels {
		for i, points := range panel.curves() {
			styles[i] = styles[i].adapted(logarithms(points))
		}
	}
	const each = 1.9 * vg.Inch
	l := layout{headline: "Gradient magnitude by block", styles: styles[:], provenance: provenance}
	heightOf := func(width vg.Length) vg.Length { return inProportion(each, width) * vg.Length(len(panels)) }
	return l.sized(heightOf, func(c draw.Canvas) {
		height := (c.Max.Y - c.Min.Y) / vg.Length(len(panels))
		for i, panel := range panels {
			at, left := vg.Length(i), vg.Length(len(panels)-1-i)
			panel.draw(draw.Crop(c, 0, 0, left*height+6, -at*height), styles, low, high)
		}
	}), nil
}

// curves are the magnitudes of constant and of stochastic depth by block, those that a logarithmic axis can show.
func (b BlockGradients) curves() (curves [2]plotter.XYs) {
	for i, magnitudes := range [][]float64{b.Constant, b.Stochastic} {
		for l, magnitude := range magnitudes {
			curves[i] = append(curves[i], plotter.XY{X: float64(l + 1), Y: magnitude})
		}
		curves[i] = positive(curves[i])
	}
	return curves
}

// draw draws a panel on an axis from low to high.
func (b BlockGradients) draw(c draw.Canvas, styles [2]seriesStyle, low, high float64) {
	c = title(c, b.Title)
	p := newPlot()
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, logTicks{}
	p.Y.Min, p.Y.Max = low/1.3, high*1.3
	p.Y.Label.Text = "mean |gradient|"
	p.X.Label.Text, p.X.Tick.Marker = "block", niceTicks{whole: true}
	for i, points := range b.curves() {
		addCurve(p, styles[i], points)
	}
	p.X.Min, p.X.Max = 0.5, float64(max(len(b.Constant), len(b.Stochastic)))+0.5
	p.Draw(c)
}
