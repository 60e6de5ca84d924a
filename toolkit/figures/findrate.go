package figures

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
)

// RateRound has the validation errors of a search for p_L at one length of training.
type RateRound struct {
	Epochs int
	Errors []outcome.SurvivalError // by ascending p_L
}

// FindRate draws what a search for p_L has seen: the validation error by p_L, a curve for each of the longest four lengths of
// training, the longest first, with bars of its standard deviation over seeds. The range of the answer, from low to high, is
// shaded, and a line marks the best.
func FindRate(provenance Provenance, headline string, best, low, high float64, rounds ...RateRound) (*Figure, error) {
	if len(rounds) == 0 {
		return nil, errors.New("nothing has been trained yet, so there is nothing to draw")
	}
	rounds = rounds[:min(len(rounds), len(stochasticStyles))]
	styles := make([]seriesStyle, len(rounds))
	least, most := math.Inf(1), math.Inf(-1)
	for i, round := range rounds {
		if len(round.Errors) == 0 {
			return nil, fmt.Errorf("the trainings of %d epochs have no errors to draw", round.Epochs)
		}
		styles[i] = stochasticStyles[i].named(fmt.Sprintf("%d epoch%s", round.Epochs, say.Plural(round.Epochs)))
		for _, e := range round.Errors {
			least, most = min(least, e.Error.Mean-e.Error.Deviation), max(most, e.Error.Mean+e.Error.Deviation)
		}
	}
	provenance = provenance.With("Shaded: where the best p_L may be; dashed line: the best one. Bars: ± standard deviation over seeds.")
	l := layout{headline: headline, styles: styles, provenance: provenance}
	return l.figure(2.9*vg.Inch, func(c draw.Canvas) {
		c = title(c, "Validation error (%)")
		p := newPlot()
		p.X.Min, p.X.Max = 0.05, 1.05
		p.X.Tick.Marker = plot.ConstantTicks(tenths())
		p.X.Label.Text = "survival probability of the last block; 1 is constant depth"
		room := max(most-least, 0.1) * 0.1
		p.Y.Min, p.Y.Max = max(0, least-room), most+room
		frame(c, p)
		p.Add(answered{best, low, high}, newGrid())
		for i := len(rounds) - 1; i >= 0; i-- {
			var curve plotter.XYs
			var spreads bars
			for _, e := range rounds[i].Errors {
				curve = append(curve, plotter.XY{X: e.Survival, Y: e.Error.Mean})
				spreads.add(e.Survival, e.Error.Mean, e.Error.Deviation, e.Error.Deviation)
			}
			addCurve(p, styles[i], curve)
			addErrorBars(p, styles[i].name, styles[i].hue(), spreads)
		}
		p.Draw(c)
	}), nil
}

// answered is a plotter of the range of an answer, and of its best p_L.
type answered struct{ best, low, high float64 }

// Plot draws the range: it implements plot.Plotter.
func (a answered) Plot(c draw.Canvas, p *plot.Plot) {
	const aside = 0.025
	toX, _ := p.Transforms(&c)
	box(c, toX(max(p.X.Min, a.low-aside)), c.Min.Y, toX(min(p.X.Max, a.high+aside)), c.Max.Y, pale, nil, nil)
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.9, Dashes: []vg.Length{3, 3}}, toX(a.best), c.Min.Y, toX(a.best), c.Max.Y)
}
