package figures

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/outcome"
)

// Lesion is a trained network that lost blocks: Errors[i] are the test errors, in percent, of several random choices
// of Removed[i] blocks.
type Lesion struct {
	Name     string
	Constant bool // trained with constant depth
	Removed  []int
	Errors   [][]float64
}

// Lesions draws the test error of trained networks against the number of blocks removed from them, the mean over the
// random choices and, as a thin bar, their range.
func Lesions(provenance Provenance, lesions ...Lesion) (*Figure, error) {
	var styles []seriesStyle
	used := map[bool]int{}
	most, high := 1.0, 1.0
	for _, lesion := range lesions {
		if len(lesion.Removed) == 0 || len(lesion.Errors) != len(lesion.Removed) {
			return nil, fmt.Errorf("%s has errors for %d of %d numbers of removed blocks",
				lesion.Name, len(lesion.Errors), len(lesion.Removed))
		}
		s := stochasticStyle
		if lesion.Constant {
			s = constantStyle
		}
		if n := used[lesion.Constant]; n > 0 {
			s.color = furtherColors[(n-1)%len(furtherColors)]
		}
		used[lesion.Constant]++
		styles = append(styles, s.named(lesion.Name))
		for i, testErrors := range lesion.Errors {
			if len(testErrors) == 0 {
				return nil, fmt.Errorf("%s has no error with %d blocks removed", lesion.Name, lesion.Removed[i])
			}
			most = max(most, float64(lesion.Removed[i]))
			for _, e := range testErrors {
				high = max(high, e)
			}
		}
	}
	if len(lesions) == 0 {
		return nil, fmt.Errorf("there is no network to draw")
	}
	l := layout{headline: "Test error by the number of blocks removed after training", styles: styles, provenance: provenance}
	return l.figure(2.6*vg.Inch, func(c draw.Canvas) {
		c = title(c, "Test error (%)")
		p := newPlot()
		p.X.Label.Text, p.X.Tick.Marker = "blocks removed", niceTicks{each: true}
		p.X.Min, p.X.Max = -0.2, most+0.2
		p.Y.Min, p.Y.Max = 0, min(high*1.05, 100)
		frame(c, p)
		for i, lesion := range lesions {
			lesion.addTo(p, styles[i])
		}
		p.Draw(c)
	}), nil
}

// addTo adds the mean errors and their ranges.
func (l Lesion) addTo(p *plot.Plot, style seriesStyle) {
	var points plotter.XYs
	var ranges bars
	for i, testErrors := range l.Errors {
		removed, mean := float64(l.Removed[i]), outcome.Average(testErrors...).Mean
		points = append(points, plotter.XY{X: removed, Y: mean})
		ranges.add(removed, mean, mean-slices.Min(testErrors), slices.Max(testErrors)-mean)
	}
	addErrorBars(p, style.name, blend{style.hue(), 0.5}, ranges)
	addCurve(p, style, points)
}
