package figures

import (
	"fmt"
	"image/color"
	"math"
	"sort"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/runs"
)

// DepthBar is a depth's pair of bars; a network that is missing has N 0 and a mean of NaN.
type DepthBar struct {
	Layers               int
	Constant, Stochastic Estimate // test error, percent
}

// DepthBarsOf averages runs over seeds, by depth. The runs must differ in depth, survival rule and seed only, with one
// stochastic setting a depth.
func DepthBarsOf(list []*runs.Run) ([]DepthBar, error) {
	if err := sameSettings(list, "depth", "seed"); err != nil {
		return nil, err
	}
	bars := map[int]*DepthBar{}
	for _, group := range bySetting(list) {
		e, err := estimateOf(group)
		if err != nil {
			return nil, err
		}
		layers := group[0].Recipe.Depth
		bar := bars[layers]
		if bar == nil {
			missing := Estimate{Mean: math.NaN()}
			bar = &DepthBar{layers, missing, missing}
			bars[layers] = bar
		}
		kind := &bar.Stochastic
		if group[0].Recipe.IsConstant() {
			kind = &bar.Constant
		}
		if kind.N > 0 {
			return nil, fmt.Errorf("the runs have more than one stochastic setting at %d layers: name those of one", layers)
		}
		*kind = e
	}
	var sorted []DepthBar
	for _, bar := range bars {
		sorted = append(sorted, *bar)
	}
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Layers < sorted[j].Layers })
	return sorted, nil
}

// DepthBars draws Fig. 5: the test errors of networks of one or more depths, at constant and stochastic depth, and how
// each changes from one depth to the next.
func DepthBars(about About, bars ...DepthBar) (*Figure, error) {
	high := 0.0
	for _, bar := range bars {
		for _, e := range []Estimate{bar.Constant, bar.Stochastic} {
			if !math.IsNaN(e.Mean) {
				high = max(high, e.Mean+e.Deviation)
			}
		}
	}
	if high == 0 {
		return nil, fmt.Errorf("there is no test error to draw")
	}
	s := sheet{headline: "Test error by depth", looks: []look{constantLook, stochasticLook}, about: about}
	return s.figure(2.5*vg.Inch, func(c draw.Canvas) {
		c = title(c, "Test error (%)")
		p := newPlot()
		p.Y.Min, p.Y.Max = 0, high*1.15
		p.X.Min, p.X.Max = 0, 1
		p.X.Tick.Marker, p.X.Tick.Length = noTicks{}, 0
		frame := draw.Crop(c, 0, 0, 16, 0)
		p.Draw(frame)
		area := p.DataCanvas(frame)
		_, toY := p.Transforms(&area)
		width := (area.Max.X - area.Min.X) / vg.Length(len(bars))
		half := min(width*0.17, 34)
		for i, bar := range bars {
			middle := area.Min.X + width*(vg.Length(i)+0.5)
			for j, e := range []Estimate{bar.Constant, bar.Stochastic} {
				x := middle + vg.Length(2*j-1)*(half+2)
				l := []look{constantLook, stochasticLook}[j]
				style := text(bold(textSize), l.color)
				if math.IsNaN(e.Mean) {
					c.FillText(centered(text(sans(smallSize), grey)), vg.Point{X: x, Y: area.Min.Y + 7}, "no run")
					continue
				}
				top := toY(e.Mean)
				box(c, x-half, area.Min.Y, x+half, top, l.color, nil, nil)
				errorBar(c, x, toY(e.Mean-e.Deviation), toY(e.Mean+e.Deviation), ink)
				label := fmt.Sprintf("%.2f %%", e.Mean)
				c.FillText(centered(fit(style, label, 2*half+4)), vg.Point{X: x, Y: toY(e.Mean+e.Deviation) + 8}, label)
				if i > 0 {
					before := []Estimate{bars[i-1].Constant, bars[i-1].Stochastic}[j]
					change(c, vg.Point{X: x, Y: top - 12}, e.Mean-before.Mean)
				}
			}
			c.FillText(centered(text(sans(textSize), ink)), vg.Point{X: middle, Y: area.Min.Y - 10}, fmt.Sprintf("%d layers", bar.Layers))
		}
	}), nil
}

// change writes by how much an error has changed from the depth before, with an arrow, into the head of a bar.
func change(c draw.Canvas, at vg.Point, by float64) {
	if math.IsNaN(by) {
		return
	}
	arrow := "↑"
	if by < 0 {
		arrow = "↓"
	}
	c.FillText(centered(text(bold(smallSize), color.White)), at, fmt.Sprintf("%s %.2f", arrow, math.Abs(by)))
}

// errorBar is a spread from low to high; none where they are equal.
func errorBar(c draw.Canvas, x, low, high vg.Length, line color.Color) {
	if high <= low {
		return
	}
	style := draw.LineStyle{Color: line, Width: 0.9}
	c.StrokeLine2(style, x, low, x, high)
	c.StrokeLine2(style, x-3, low, x+3, low)
	c.StrokeLine2(style, x-3, high, x+3, high)
}
