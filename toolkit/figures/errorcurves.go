package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ErrorCurve is an error in percent by epoch, and the errors that are printed for some of the epochs.
type ErrorCurve struct {
	Points, Printed plotter.XYs
}

// ErrorCurves draws Fig. 6: the error by epoch at constant and at stochastic depth, and beside it the end of the training
// from an epoch on, enlarged, with a circle at each printed error. A training without points after that epoch is an error.
func ErrorCurves(provenance Provenance, name string, from float64, constant, stochastic ErrorCurve) (*Figure, error) {
	curves, styles := [2]ErrorCurve{constant, stochastic}, [2]seriesStyle{constantStyle, stochasticStyle}
	var ends [2]plotter.XYs
	for i, curve := range curves {
		for _, xy := range curve.Points {
			if xy.X >= from {
				ends[i] = append(ends[i], xy)
			}
		}
		if len(ends[i]) == 0 {
			return nil, fmt.Errorf("the %s network has no error from epoch %g on to draw", []string{"constant", "stochastic"}[i], from)
		}
		styles[i] = styles[i].adapted(curve.Points)
	}
	l := layout{headline: name + " by epoch", styles: styles[:], provenance: provenance}
	return l.panels(2, 2.5*vg.Inch, func(panel int, c draw.Canvas) {
		if panel == 0 {
			drawErrorCurves(title(c, name+" (%)"), styles, [2]plotter.XYs{constant.Points, stochastic.Points}, [2]plotter.XYs{}, 0, 0.03)
		} else { // with room for the labels
			drawErrorCurves(title(c, fmt.Sprintf("From epoch %g on, enlarged (%%)", from)), styles, ends,
				[2]plotter.XYs{constant.Printed, stochastic.Printed}, from, 0.25)
		}
	}), nil
}

// drawErrorCurves draws curves from an epoch on, with circles at the printed errors; room is the space above and below,
// as a part of their range.
func drawErrorCurves(c draw.Canvas, styles [2]seriesStyle, curves, printed [2]plotter.XYs, from, room float64) {
	p := newPlot()
	p.X.Label.Text, p.X.Tick.Marker = "epoch", niceTicks{whole: true}
	low, high := spread(curves[:]...)
	p.Y.Min, p.Y.Max = low-(high-low)*room, high+(high-low)*room
	last := math.Inf(-1)
	circles := callouts{curves: curves[:]}
	for i, points := range curves {
		last = max(last, points[len(points)-1].X)
		addCurve(p, styles[i], points)
		for j, xy := range printed[i] {
			above := j >= len(printed[1-i]) || xy.Y > printed[1-i][j].Y
			circles.marks = append(circles.marks, callout{xy, fmt.Sprintf("%.2f %%", xy.Y), text(bold(textSize), styles[i].color),
				above, 4})
		}
	}
	p.X.Min, p.X.Max = from, last+(last-from)*0.02 // for a circle at the last epoch
	p.Add(circles)
	p.Draw(c)
}
