package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/outcome"
)

// DepthBars draws Fig. 5: the test errors of networks of one or more depths, at constant and stochastic depth, and how
// each changes from one depth to the next.
func DepthBars(provenance Provenance, bars ...outcome.DepthErrors) (*Figure, error) {
	high := 0.0
	for _, bar := range bars {
		for _, e := range []outcome.Estimate{bar.Constant, bar.Stochastic} {
			if !math.IsNaN(e.Mean) {
				high = max(high, e.Mean+e.Deviation)
			}
		}
	}
	if high == 0 {
		return nil, fmt.Errorf("there is no test error to draw")
	}
	styles := []seriesStyle{constantStyle.as(aBar), stochasticStyle.as(aBar)}
	l := layout{headline: "Test error by depth", styles: styles, provenance: provenance}
	return l.figure(2.5*vg.Inch, func(c draw.Canvas) {
		c = title(c, "Test error (%)")
		p := newPlot()
		p.Y.Min, p.Y.Max = 0, high*1.15
		frameY(c, p)
		p.X.Min, p.X.Max = -0.5, float64(len(bars))-0.5
		p.X.Tick.Marker, p.X.Tick.Length = plot.ConstantTicks{}, 0
		frame := draw.Crop(c, 0, 0, 16, 0)
		area := p.DataCanvas(frame)
		width := min((area.Max.X-area.Min.X)/vg.Length(len(bars))*0.34, 68)
		for i, s := range styles {
			kind := depthBars{depths: bars, kind: i, style: s, width: width}
			kind.addTo(p)
			p.Add(kind)
		}
		p.Draw(frame)
		toX, _ := p.Transforms(&area)
		for i, bar := range bars {
			c.FillText(centered(text(sans(textSize), ink)), vg.Point{X: toX(float64(i)), Y: area.Min.Y - 10},
				fmt.Sprintf("%d layers", bar.Layers))
		}
	}), nil
}

// depthBars is a plotter of what is written at the bars of one kind, constant (0) or stochastic (1), which are gonum's.
type depthBars struct {
	depths []outcome.DepthErrors
	kind   int
	style  seriesStyle
	width  vg.Length // of a bar
}

// errorOf is the error of the i-th depth.
func (d depthBars) errorOf(i int) outcome.Estimate {
	return []outcome.Estimate{d.depths[i].Constant, d.depths[i].Stochastic}[d.kind]
}

// shift is the distance from the middle of a depth to the middle of its bar.
func (d depthBars) shift() vg.Length { return vg.Length(2*d.kind-1) * (d.width/2 + 2) }

// addTo adds the bars; a depth without a network has none.
func (d depthBars) addTo(p *plot.Plot) {
	heights := make(plotter.Values, len(d.depths))
	for i := range heights {
		if e := d.errorOf(i); !math.IsNaN(e.Mean) {
			heights[i] = e.Mean
		}
	}
	add(p, &plotter.BarChart{Values: heights, Width: d.width, Color: d.style.hue(), Offset: d.shift()})
}

// Plot writes each error above its bar, with its spread, and the change from the previous depth into the bar's head.
// gonum's YErrorBars cannot draw the spreads: they stand at values of the axis, but the bars are some points beside
// these.
func (d depthBars) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	for i := range d.depths {
		x, e := toX(float64(i))+d.shift(), d.errorOf(i)
		if math.IsNaN(e.Mean) {
			c.FillText(centered(text(sans(smallSize), grey)), vg.Point{X: x, Y: c.Min.Y + 7}, "no run")
			continue
		}
		n := estimated(d.style.name, float64(d.depths[i].Layers), e, vg.Point{X: x, Y: toY(e.Mean)})
		n.axis = "layers"
		notesOf(c).take(n)
		errorBar(c, x, toY(e.Mean-e.Deviation), toY(e.Mean+e.Deviation), ink)
		label := fmt.Sprintf("%.2f %%", e.Mean)
		c.FillText(centered(fit(text(bold(textSize), d.style.hue()), label, d.width+4)), vg.Point{X: x, Y: toY(e.Mean+e.Deviation) + 8},
			label)
		if i > 0 && toY(e.Mean)-c.Min.Y > 20 {
			change(c, vg.Point{X: x, Y: toY(e.Mean) - 12}, e.Mean-d.errorOf(i-1).Mean)
		}
	}
}

// change writes by how much an error has changed from the previous depth, with an arrow, into the head of a bar.
func change(c draw.Canvas, at vg.Point, difference float64) {
	if math.IsNaN(difference) {
		return
	}
	arrow := "↑"
	if difference < 0 {
		arrow = "↓"
	}
	c.FillText(centered(text(bold(smallSize), onFill)), at, fmt.Sprintf("%s %.2f", arrow, math.Abs(difference)))
}
