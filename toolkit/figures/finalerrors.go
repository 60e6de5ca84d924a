package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// FinalErrors draws the errors that are printed for a few epochs of a training whose curve is not at hand, as Fig. 6's
// on ImageNet: points with their numbers, joined by faint lines. Both lists are by epoch, with equal epochs.
func FinalErrors(about About, name string, constant, stochastic plotter.XYs) (*Figure, error) {
	if len(constant) == 0 || len(constant) != len(stochastic) {
		return nil, fmt.Errorf("%d and %d errors cannot be compared: there must be one of each network for each epoch", len(constant), len(stochastic))
	}
	s := sheet{headline: "Error at the ends of training", looks: []look{constantLook, stochasticLook}, about: about}
	return s.figure(2.3*vg.Inch, func(c draw.Canvas) {
		c = title(c, name+" (%)")
		p := newPlot()
		low, high := spread(constant, stochastic)
		room := max(high-low, 0.1) * 0.3
		p.Y.Min, p.Y.Max = low-room, high+room
		first, last := constant[0].X, constant[len(constant)-1].X
		side := max(last-first, 1) * 0.3
		p.X.Min, p.X.Max = first-side, last+side
		p.X.Label.Text, p.X.Tick.Marker = "epoch", atPoints(constant)
		for i, points := range []plotter.XYs{constant, stochastic} {
			addCurve(p, []look{constantLook, stochasticLook}[i], points)
		}
		p.Draw(c)
		area := p.DataCanvas(c)
		toX, toY := p.Transforms(&area)
		for i := range constant {
			for j, xy := range []plotter.XY{constant[i], stochastic[i]} {
				other := []plotter.XY{stochastic[i], constant[i]}[j]
				shift := vg.Length(12)
				if xy.Y < other.Y || xy.Y == other.Y && j == 1 {
					shift = -12
				}
				style := text(bold(textSize), []look{constantLook, stochasticLook}[j].color)
				halo(c, style, vg.Point{X: toX(xy.X), Y: toY(xy.Y) + shift}, fmt.Sprintf("%.2f %%", xy.Y))
			}
		}
	}), nil
}

// atPoints ticks the points' own places.
type atPoints plotter.XYs

func (a atPoints) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for _, xy := range a {
		if xy.X >= low && xy.X <= high && !math.IsNaN(xy.X) {
			ticks = append(ticks, plot.Tick{Value: xy.X, Label: decimal(xy.X)})
		}
	}
	return ticks
}
