package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// PrunedNetwork is a network that has lost blocks, in [Prune].
type PrunedNetwork struct {
	Blocks       int     // that are left
	MultiplyAdds float64 // percent of the whole network's; NaN if not known
	Error        float64 // percent of the test images
	AsTrained    float64 // the same with the running averages of the whole network's training
}

// PruneCurve has the networks that removing blocks in one order makes, the whole one first.
type PruneCurve struct {
	Name     string
	Networks []PrunedNetwork
}

// Prune draws the test error of networks that lose one block after the other: by the blocks that are left, and by the
// multiply-adds of an image. Fine lines are with the running averages as trained, where those differ.
func Prune(provenance Provenance, curves ...PruneCurve) (*Figure, error) {
	if len(curves) == 0 || len(curves) > len(stochasticStyles) {
		return nil, fmt.Errorf("%d orders: the figure takes 1 to %d", len(curves), len(stochasticStyles))
	}
	styles := make([]seriesStyle, len(curves))
	byBlocks, byWork, asTrained := make([]plotter.XYs, len(curves)), make([]plotter.XYs, len(curves)), make([]plotter.XYs, len(curves))
	most, highest, differ := 0, 0.0, false
	for i, curve := range curves {
		styles[i] = stochasticStyles[i].named(curve.Name)
		for _, n := range curve.Networks {
			byBlocks[i] = append(byBlocks[i], plotter.XY{X: float64(n.Blocks), Y: n.Error})
			asTrained[i] = append(asTrained[i], plotter.XY{X: float64(n.Blocks), Y: n.AsTrained})
			if !math.IsNaN(n.MultiplyAdds) {
				byWork[i] = append(byWork[i], plotter.XY{X: n.MultiplyAdds, Y: n.Error})
			}
			most, highest, differ = max(most, n.Blocks), max(highest, n.Error), differ || n.AsTrained != n.Error
		}
		if len(byBlocks[i]) == 0 {
			return nil, fmt.Errorf("the order %s has no networks to draw", curve.Name)
		}
	}
	if differ {
		provenance = provenance.With("Fine lines: with the averages of the whole network's training.")
	}
	panels := 2
	if len(byWork[0]) == 0 {
		panels = 1
	}
	l := layout{headline: "Test error by the blocks that are left", styles: styles, provenance: provenance}
	return l.panels(panels, 2.8*vg.Inch, func(panel int, c draw.Canvas) {
		c = title(c, "Test error (%)")
		p := newPlot()
		p.Y.Min, p.Y.Max = 0, math.Min(100, 1.15*highest)
		drawn := byBlocks
		if panel == 0 {
			p.X.Label.Text, p.X.Tick.Marker = "blocks", niceTicks{each: true}
			p.X.Min, p.X.Max = 0.5, float64(most)+0.5
			frame(c, p)
			for i := range asTrained {
				if differ {
					addLine(p, draw.LineStyle{Color: styles[i].hue(), Width: 0.6}, below(asTrained[i], p.Y.Max))
					add(p, noted{styles[i].of("as trained"), asTrained[i]})
				}
			}
		} else {
			drawn = byWork
			notesOf(c).panel = "Test error (%) by multiply-adds"
			p.X.Label.Text, p.X.Min, p.X.Max = "multiply-adds (% of the whole network's)", 0, 102
		}
		for i := len(drawn) - 1; i >= 0; i-- {
			addCurve(p, styles[i], drawn[i])
		}
		p.Draw(c)
	}), nil
}

// below cuts a curve off at its first point above a limit.
func below(points plotter.XYs, limit float64) plotter.XYs {
	for i, at := range points {
		if at.Y > limit {
			return points[:i]
		}
	}
	return points
}
