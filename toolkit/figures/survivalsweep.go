package figures

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
)

// best is the index of the lowest error of a rule's points, which must not be empty.
func best(points []outcome.SurvivalError) int {
	lowest := slices.MinFunc(points, func(a, b outcome.SurvivalError) int { return cmp.Compare(a.Error.Mean, b.Error.Mean) })
	return slices.Index(points, lowest)
}

// SurvivalSweep draws Fig. 8 left: the test error by p_L, for the linear and the uniform rule, with a circle at the best
// point of each, which the legend names, constant depth as a dashed line in the band of its standard deviation, and the
// speed-ups beside their points. The paper's own errors, if they are given, are pale, without circles and speed-ups.
func SurvivalSweep(provenance Provenance, swept outcome.SurvivalErrors, published ...outcome.SurvivalErrors) (*Figure, error) {
	all := slices.Concat(swept.Linear, swept.Uniform)
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no network with stochastic depth to draw")
	}
	linear := stochasticStyle.named("linear decay")
	rules := []sweptRule{{swept.Linear, linear, false, swept.Constant}, {swept.Uniform, uniformStyle, true, swept.Constant}}
	for _, paper := range published {
		rules = append(rules, sweptRule{paper.Linear, linear.published(), false, paper.Constant},
			sweptRule{paper.Uniform, uniformStyle.published(), true, paper.Constant})
	}
	readOff := slices.ContainsFunc(all, func(e outcome.SurvivalError) bool { return e.Error.ReadOff })
	low, high := math.Inf(1), math.Inf(-1)
	include := func(e outcome.Estimate) { low, high = min(low, e.Mean-e.Deviation), max(high, e.Mean+e.Deviation) }
	var shown []seriesStyle
	for i, rule := range rules {
		if readOff || slices.ContainsFunc(rule.points, func(e outcome.SurvivalError) bool { return e.Error.ReadOff }) {
			rules[i].style = rule.style.readOff().saying(rule.style.name + " (read off)")
		}
		for _, point := range rule.points {
			include(point.Error)
		}
		if len(rule.points) > 0 {
			p := rule.points[best(rule.points)]
			shown = append(shown, rules[i].style.saying(fmt.Sprintf("%s: best %s at %s",
				rules[i].style.inLegend(), p.Error.Percent(swept.Digits), say.Decimal(p.Survival))))
		}
	}
	constant := seriesStyle{name: "constant depth", color: red, dashes: []vg.Length{4, 3}}
	if !math.IsNaN(swept.Constant.Mean) {
		constant.says = constant.name + ": " + swept.Constant.Percent(swept.Digits)
		include(swept.Constant)
		shown = append(shown, constant)
	}
	theirs := make([]seriesStyle, len(published))
	for i, paper := range published {
		theirs[i] = seriesStyle{name: "constant depth", color: red, dashes: []vg.Length{4, 3}, width: 1}.published()
		theirs[i] = theirs[i].saying(theirs[i].name + ": " + paper.Constant.Percent(paper.Digits))
		include(paper.Constant)
		shown = append(shown, theirs[i])
	}
	l := layout{headline: "Test error by survival probability", styles: shown, provenance: provenance}
	return l.figure(2.9*vg.Inch, func(c draw.Canvas) {
		c = title(c, "Test error (%)")
		p := newPlot()
		p.X.Min, p.X.Max = 0.05, 1.05
		p.X.Tick.Marker = plot.ConstantTicks(tenths())
		p.X.Label.Text = "survival probability of the last block (linear decay) or of all blocks (uniform rule)"
		if c.Max.X-c.Min.X < narrow {
			p.X.Label.Text = "survival probability: last block (linear), all (uniform)"
		}
		room := max(high-low, 0.1)
		p.Y.Min, p.Y.Max = max(0, low-room*0.22), high+room*0.16
		frame(c, p)
		for i, paper := range published {
			p.Add(band{paper.Constant, theirs[i]})
		}
		p.Add(band{swept.Constant, constant})
		var labels callouts
		if e := swept.Constant; !math.IsNaN(e.Mean) {
			for _, part := range []float64{-1, -0.5, 0, 0.5, 1} { // the band is to be seen whole
				y := e.Mean + part*e.Deviation
				labels.curves = append(labels.curves, plotter.XYs{{X: p.X.Min, Y: y}, {X: p.X.Max, Y: y}})
			}
		}
		for _, rule := range rules {
			rule.addTo(p, &labels)
		}
		p.Add(labels)
		p.Draw(c)
	}), nil
}

// sweptRule is one rule's errors with its style.
type sweptRule struct {
	points []outcome.SurvivalError
	style  seriesStyle
	above  bool // its labels are above it: linear decay is the lower one, mostly

	constant outcome.Estimate // constant depth, which each rule is at p_L = 1
}

// addTo adds the curve with its spreads, the circle of the best point, and the speed-ups. At p_L = 1 each rule is
// constant depth.
func (r sweptRule) addTo(p *plot.Plot, labels *callouts) {
	if len(r.points) == 0 {
		return
	}
	var curve plotter.XYs
	var spreads bars
	for _, point := range r.points {
		curve = append(curve, plotter.XY{X: point.Survival, Y: point.Error.Mean})
		spreads.add(point.Survival, point.Error.Mean, point.Error.Deviation, point.Error.Deviation)
	}
	if !math.IsNaN(r.constant.Mean) {
		curve = append(curve, plotter.XY{X: 1, Y: r.constant.Mean})
	}
	addCurve(p, r.style, curve)
	addErrorBars(p, r.style.name, r.style.hue(), spreads)
	labels.curves = append(labels.curves, curve)
	for i := range spreads.XYs { // labels must not cover these either
		at, e := spreads.XYs[i], spreads.YErrors[i]
		labels.curves = append(labels.curves, plotter.XYs{{X: at.X, Y: at.Y - e.Low}, {X: at.X, Y: at.Y + e.High}})
	}
	for i, point := range r.points {
		if r.style.faded > 0 {
			break
		}
		mark := callout{at: curve[i], style: text(sans(smallSize), r.style.hue()), above: r.above}
		if i == best(r.points) {
			mark.radius = 5
		}
		if point.SpeedUp > 0 {
			mark.text = fmt.Sprintf("%s× speed-up", say.Decimal(math.Round(point.SpeedUp*100)/100))
		}
		if mark.radius > 0 || mark.text != "" {
			labels.marks = append(labels.marks, mark)
		}
	}
}

// band is a plotter of an estimate as a line over the whole width, in the band of its standard deviation.
type band struct {
	estimate outcome.Estimate
	style    seriesStyle
}

// Plot draws the band and the line: it implements plot.Plotter.
func (b band) Plot(c draw.Canvas, p *plot.Plot) {
	e := b.estimate
	if math.IsNaN(e.Mean) {
		return
	}
	toX, toY := p.Transforms(&c)
	if e.Deviation > 0 {
		box(c, c.Min.X, toY(max(p.Y.Min, e.Mean-e.Deviation)), c.Max.X, toY(e.Mean+e.Deviation), blush, nil, nil)
	}
	c.StrokeLine2(b.style.line(), c.Min.X, toY(e.Mean), c.Max.X, toY(e.Mean))
	// Each rule is constant depth at p_L = 1.
	n := estimated(b.style.name, 1, e, vg.Point{X: min(toX(1), c.Max.X), Y: toY(e.Mean)})
	n.axis = p.X.Label.Text
	notesOf(c).take(n)
}

// tenths are the ticks 0.1 to 1.
func tenths() []plot.Tick {
	var ticks []plot.Tick
	for i := 1; i <= 10; i++ {
		ticks = append(ticks, plot.Tick{Value: float64(i) / 10, Label: say.Decimal(float64(i) / 10)})
	}
	return ticks
}
