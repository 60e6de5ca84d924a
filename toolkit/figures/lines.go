package figures

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Line is a curve of [Lines].
type Line struct {
	Name   string
	Values []float64 // at 1, 2, 3 and so on; what is not finite is left out
}

// Lines draws values that belong to no run, such as the losses of a training loop of one's own, over their numbers: over names
// what is counted, "step", and of what the values are.
func Lines(provenance Provenance, headline, over, of string, lines ...Line) (*Figure, error) {
	styles, curves := []seriesStyle{}, []plotter.XYs{}
	low, high, longest := 0.0, math.Inf(-1), 0
	for i, line := range lines {
		var points plotter.XYs
		for j, value := range line.Values {
			if !math.IsNaN(value) && !math.IsInf(value, 0) {
				points = append(points, plotter.XY{X: float64(j + 1), Y: value})
				low, high = min(low, value), max(high, value)
			}
		}
		if len(points) == 0 {
			return nil, fmt.Errorf("the curve %q has no finite value to draw", line.Name)
		}
		if i == len(stochasticStyles) {
			return nil, fmt.Errorf("more than %d curves cannot be told apart: draw fewer", len(stochasticStyles))
		}
		styles, curves = append(styles, stochasticStyles[i].named(line.Name).adapted(points)), append(curves, points)
		longest = max(longest, len(line.Values))
	}
	if len(curves) == 0 {
		return nil, errors.New("there is no curve to draw: give one at least")
	}
	l := layout{headline: headline, styles: styles, provenance: provenance}
	return l.figure(2.5*vg.Inch, func(c draw.Canvas) {
		c = title(c, of)
		p := newPlot()
		p.X.Label.Text, p.X.Tick.Marker = over, niceTicks{whole: true}
		p.X.Min, p.X.Max = 0, max(float64(longest)*1.02, 1)
		room := max(0.05*(high-low), 1e-9)
		p.Y.Min, p.Y.Max = low, high+room
		if low < 0 {
			p.Y.Min = low - room
		}
		frame(c, p)
		for i, points := range curves {
			addCurve(p, styles[i], points)
		}
		p.Draw(c)
	}), nil
}
