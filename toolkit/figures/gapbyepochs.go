package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
)

// GapByEpochs draws what stochastic depth gains or loses by the length of training: on the left the difference of the
// test errors, stochastic minus constant depth, with its confidence interval; on the right the two errors with their
// standard deviations. The headline is computed from the gaps, which must be in ascending order of epochs.
func GapByEpochs(provenance Provenance, gaps ...outcome.Gap) (*Figure, error) {
	if len(gaps) == 0 {
		return nil, fmt.Errorf("there is no length of training to draw")
	}
	l := layout{headline: outcome.Overtaking(gaps), styles: []seriesStyle{constantStyle, stochasticStyle},
		provenance: provenance.With("Left: mean difference over seeds; bars: its 95 % confidence interval by Student's t.",
			outcome.ClearGaps(gaps),
			"Right: mean test error at the epoch of the lowest validation error; bars: ± standard deviation.")}
	return l.panels(2, 2.7*vg.Inch, func(i int, c draw.Canvas) {
		if i == 0 {
			drawGaps(title(c, "Stochastic minus constant depth (points)"), gaps)
		} else {
			drawGapErrors(title(c, "Test error (%)"), gaps)
		}
	}), nil
}

// setLengths gives a plot a logarithmic axis of epochs with the lengths as ticks.
func setLengths(p *plot.Plot, gaps []outcome.Gap) {
	p.X.Label.Text = "epochs of training"
	p.X.Scale = plot.LogScale{}
	var ticks plot.ConstantTicks
	for _, g := range gaps {
		ticks = append(ticks, plot.Tick{Value: float64(g.Epochs), Label: say.Decimal(float64(g.Epochs))})
	}
	p.X.Tick.Marker = ticks
	p.X.Min, p.X.Max = float64(gaps[0].Epochs)/1.4, float64(gaps[len(gaps)-1].Epochs)*1.4
}

// drawGaps draws the differences, over two halves that say which side is better.
func drawGaps(c draw.Canvas, gaps []outcome.Gap) {
	p := newPlot()
	setLengths(p, gaps)
	low, high := 0.0, 0.0
	var points plotter.XYs
	var spreads bars
	for _, g := range gaps {
		e := gapBar(g)
		points = append(points, plotter.XY{X: float64(g.Epochs), Y: g.Difference})
		spreads.add(float64(g.Epochs), g.Difference, e, e)
		low, high = min(low, g.Difference-e), max(high, g.Difference+e)
	}
	room := max(high-low, 0.5) * 0.28 // for the names of the sides, and labels of points
	p.Y.Min, p.Y.Max = low-room, high+room
	frame(c, p)
	p.Add(halves{}, newGrid(), sides{}) // the halves cover the grid of the plot
	addCurve(p, seriesStyle{name: "difference", color: ink, glyph: draw.CircleGlyph{}}, points)
	addErrorBars(p, "difference", ink, spreads)
	p.Add(gapLabels(gaps))
	p.Draw(c)
}

// gapBar is half the height of the error bar of a gap; one seed has none.
func gapBar(g outcome.Gap) float64 {
	if e := g.Margin(); !math.IsNaN(e) {
		return e
	}
	return 0
}

// halves is a plotter of the grounds above and below zero.
type halves struct{}

// Plot draws the grounds: it implements plot.Plotter.
func (halves) Plot(c draw.Canvas, p *plot.Plot) {
	_, toY := p.Transforms(&c)
	box(c, c.Min.X, toY(0), c.Max.X, c.Max.Y, blush, nil, nil)
	box(c, c.Min.X, c.Min.Y, c.Max.X, toY(0), pale, nil, nil)
}

// sides is a plotter of the line at zero, and of the names of what is better above and below it.
type sides struct{}

// Plot draws the line and the names: it implements plot.Plotter.
func (sides) Plot(c draw.Canvas, p *plot.Plot) {
	_, toY := p.Transforms(&c)
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.9}, c.Min.X, toY(0), c.Max.X, toY(0))
	side := func(y vg.Length, style seriesStyle, words string) {
		sty := text(bold(smallSize), style.hue())
		sty.XAlign, sty.YAlign = draw.XRight, draw.YCenter
		c.FillText(fit(sty, words, c.Max.X-c.Min.X-8), vg.Point{X: c.Max.X - 4, Y: y}, words)
	}
	side(c.Max.Y-7, constantStyle, "above zero: constant depth is better")
	side(c.Min.Y+7, stochasticStyle, "below zero: stochastic depth is better")
}

// gapLabels is a plotter of the differences in numbers, on the far side of zero.
type gapLabels []outcome.Gap

// Plot writes the numbers: it implements plot.Plotter.
func (g gapLabels) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	label := centered(fit(text(bold(smallSize), ink), "−10.00", (c.Max.X-c.Min.X)/vg.Length(len(g))-2))
	for _, gap := range g {
		e := gapBar(gap)
		y := toY(gap.Difference+e) + 8
		if gap.Difference < 0 {
			y = toY(gap.Difference-e) - 8
		}
		c.FillText(label, vg.Point{X: toX(float64(gap.Epochs)), Y: y}, outcome.Signed(gap.Difference, gap.Digits()))
	}
}

// drawGapErrors draws the errors of both kinds.
func drawGapErrors(c draw.Canvas, gaps []outcome.Gap) {
	p := newPlot()
	setLengths(p, gaps)
	high := 0.0
	var curves [2]plotter.XYs
	var spreads [2]bars
	for _, g := range gaps {
		for i, e := range []outcome.Estimate{g.Constant, g.Stochastic} {
			epochs := float64(g.Epochs)
			curves[i] = append(curves[i], plotter.XY{X: epochs, Y: e.Mean})
			spreads[i].add(epochs, e.Mean, min(e.Mean, e.Deviation), e.Deviation)
			high = max(high, e.Mean+e.Deviation)
		}
	}
	p.Y.Min, p.Y.Max = 0, max(high*1.05, 1)
	for i, s := range []seriesStyle{constantStyle, stochasticStyle} {
		addCurve(p, s, curves[i])
		addErrorBars(p, s.name, s.hue(), spreads[i])
	}
	p.Draw(c)
}
