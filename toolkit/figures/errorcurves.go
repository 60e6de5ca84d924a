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
func ErrorCurves(about About, name string, from float64, constant, stochastic ErrorCurve) (*Figure, error) {
	curves, looks := [2]ErrorCurve{constant, stochastic}, [2]look{constantLook, stochasticLook}
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
		looks[i] = looks[i].of(curve.Points)
	}
	s := sheet{headline: name + " by epoch", looks: looks[:], about: about}
	return s.panels(2, 2.5*vg.Inch, func(panel int, c draw.Canvas) {
		shown := [2]plotter.XYs{constant.Points, stochastic.Points}
		first, room := 0.0, 0.03
		if panel == 0 {
			c = title(c, name+" (%)")
		} else {
			c = title(c, fmt.Sprintf("From epoch %g on, enlarged (%%)", from))
			shown, first, room = ends, from, 0.25 // for the labels
		}
		p := newPlot()
		p.X.Label.Text, p.X.Tick.Marker = "epoch", niceTicks{whole: true}
		low, high := spread(shown[:]...)
		p.Y.Min, p.Y.Max = low-(high-low)*room, high+(high-low)*room
		last := math.Inf(-1)
		printed := callouts{curves: shown[:]}
		for i, points := range shown {
			last = max(last, points[len(points)-1].X)
			addCurve(p, looks[i], points)
			if panel == 1 {
				for j, xy := range curves[i].Printed {
					above := j >= len(curves[1-i].Printed) || xy.Y > curves[1-i].Printed[j].Y
					printed.marks = append(printed.marks, callout{xy, fmt.Sprintf("%.2f %%", xy.Y), text(bold(textSize), looks[i].color), above, 4})
				}
			}
		}
		p.X.Min, p.X.Max = first, last+(last-first)*0.02 // for a circle at the last epoch
		p.Add(printed)
		p.Draw(c)
	}), nil
}
