package figures

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

// GradientsOf takes the mean gradient magnitudes by epoch of runs of constant depth and of one stochastic setting, which
// differ in the seed, and the epochs after which their rate was divided.
func GradientsOf(constant, stochastic []*runs.Run) (curves [2][]plotter.XYs, drops []float64, err error) {
	if err := outcome.SameRegime(constant, stochastic); err != nil {
		return curves, nil, err
	}
	for i, group := range [][]*runs.Run{constant, stochastic} {
		for _, run := range group {
			points := gradientMagnitude.points(run.Rows)
			if len(points) == 0 {
				return curves, nil, fmt.Errorf("the run %s has no gradient magnitudes to draw: train it first", run.Name)
			}
			curves[i] = append(curves[i], points)
		}
	}
	for _, epoch := range constant[0].Recipe.RateDrops() {
		drops = append(drops, float64(epoch))
	}
	return curves, drops, nil
}

var gradientMagnitude = measure{"gradient magnitude", func(r runs.Row) float64 { return r.GradientMagnitude }}

// Gradients draws Fig. 7: the mean absolute gradient of the first convolution of the first block by epoch, with dashed
// lines where the learning rate was divided by 10. The curves are those of constant and those of stochastic depth, one for
// each seed, finer where there are several; one of the two lists may be empty.
func Gradients(provenance Provenance, curves [2][]plotter.XYs, drops []float64) (*Figure, error) {
	low, high := spread(slices.Concat(curves[:]...)...)
	if low > high {
		return nil, fmt.Errorf("there is no gradient magnitude to draw")
	}
	styles := [2]seriesStyle{constantStyle, stochasticStyle}
	var shown []seriesStyle
	for i, seeds := range curves {
		styles[i] = styles[i].adapted(seeds...)
		if len(seeds) > 1 {
			styles[i].width = 1
		}
		if len(seeds) > 0 {
			shown = append(shown, styles[i])
		}
	}
	if max(len(curves[0]), len(curves[1])) > 1 {
		provenance = provenance.With("Each curve is one seed.")
	}
	l := layout{headline: "Gradient magnitude in the first block", styles: shown, provenance: provenance}
	return l.figure(2.6*vg.Inch, func(c draw.Canvas) {
		power := math.Floor(math.Log10(max(high, 1e-30)))
		scale := math.Pow(10, power)
		c = powerTitle(c, "Mean gradient magnitude", int(power))
		p := newPlot()
		p.X.Label.Text, p.X.Tick.Marker = "epoch", niceTicks{whole: true}
		p.X.Min, p.X.Max = 0, 1
		p.Y.Min, p.Y.Max, p.Y.Tick.Marker = 0, high*1.2, niceTicks{unit: scale}
		for i, seeds := range curves {
			for _, points := range seeds {
				for _, xy := range points {
					p.X.Max = max(p.X.Max, xy.X)
				}
				addCurve(p, styles[i], points)
			}
		}
		frame(c, p)
		p.Add(rateDrops(drops))
		p.Draw(c)
	}), nil
}

// rateDrops is a plotter of the epochs after which the learning rate was divided by 10: a dashed line each.
type rateDrops []float64

// Plot draws the lines: it implements plot.Plotter.
func (r rateDrops) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	for _, drop := range r {
		if drop > p.X.Min && drop < p.X.Max {
			x := toX(drop)
			c.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.8, Dashes: []vg.Length{3, 3}}, x, c.Min.Y, x, c.Max.Y)
			halo(c, text(sans(smallSize), ink), vg.Point{X: x, Y: c.Max.Y - 6}, "rate ÷ 10")
		}
	}
}

// powerTitle is title with a power of ten in brackets at its end; the numbers of the panel are without it.
func powerTitle(c draw.Canvas, name string, power int) draw.Canvas {
	s := name + " (× 10"
	below := title(c, s)
	notesOf(c).panel = name
	style := text(bold(titleSize), ink)
	small := text(bold(titleSize*0.7), ink)
	at := vg.Point{X: c.Min.X + widthOn(c, style, s), Y: c.Max.Y - 10}
	exponent := say.Decimal(float64(power))
	c.FillText(small, vg.Point{X: at.X, Y: at.Y + 3.5}, exponent)
	c.FillText(style, vg.Point{X: at.X + widthOn(c, small, exponent), Y: at.Y}, ")")
	return below
}

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
	p.X.Label.Text, p.X.Tick.Marker = "block", niceTicks{each: true}
	for i, points := range b.curves() {
		addCurve(p, styles[i], points)
	}
	p.X.Min, p.X.Max = 0.5, float64(max(len(b.Constant), len(b.Stochastic)))+0.5
	frame(c, p)
	p.Draw(c)
}
