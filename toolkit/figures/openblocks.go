package figures

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
)

// OpenBlocks draws how many blocks were open in the minibatches of a run, beside the distribution expected from the
// survival probabilities (Section 3).
func OpenBlocks(provenance Provenance, g *outcome.Gates) (*Figure, error) {
	if g.Steps == 0 {
		return nil, fmt.Errorf("there are no minibatches to count")
	}
	expected := g.Expected()
	first, last := len(expected), 0
	high := 0.0
	for k, p := range expected {
		share := float64(g.Counts[k]) / float64(g.Steps)
		if p > 5e-4 || share > 0 {
			first, last = min(first, k), max(last, k)
		}
		high = max(high, p, share)
	}
	var shares plotter.Values
	var points plotter.XYs
	for k := first; k <= last; k++ {
		shares = append(shares, 100*float64(g.Counts[k])/float64(g.Steps))
		points = append(points, plotter.XY{X: float64(k), Y: 100 * expected[k]})
	}
	observed := seriesStyle{name: "minibatches of the run", color: blue, kind: aBar}
	ideal := seriesStyle{name: "expected from the survival probabilities", color: red, glyph: draw.CircleGlyph{},
		dashes: []vg.Length{2, 2}}.adapted(points)
	l := layout{headline: fmt.Sprintf("On average %.2f of %d blocks are open (expected: %s)",
		g.Mean(), len(g.Survival), say.Decimal(math.Round(g.Survival.ExpectedOpen()*100)/100)),
		styles: []seriesStyle{observed, ideal}, provenance: provenance.With(fmt.Sprintf("%d minibatches.", g.Steps))}
	return l.figure(2.4*vg.Inch, func(c draw.Canvas) {
		c = title(c, "Share of minibatches (%)")
		p := newPlot()
		p.X.Label.Text, p.X.Tick.Marker = "open blocks", niceTicks{each: true}
		p.X.Min, p.X.Max = float64(first)-0.6, float64(last)+0.6
		p.Y.Min, p.Y.Max = 0, 100*high*1.08
		frame(c, p)
		area := p.DataCanvas(c)
		toX, _ := p.Transforms(&area)
		add(p, &plotter.BarChart{Values: shares, Width: (toX(1) - toX(0)) * 0.76, Color: observed.hue(), XMin: float64(first)})
		heights := make(plotter.XYs, len(shares))
		for i, share := range shares {
			heights[i] = plotter.XY{X: float64(first + i), Y: share}
		}
		add(p, noted{observed, heights})
		addCurve(p, ideal, points)
		p.Draw(c)
	}), nil
}

// BlockSurvival draws in how many of a run's minibatches each block was open, against its survival probability, with
// the band in which 95 % of the shares lie.
func BlockSurvival(provenance Provenance, g *outcome.Gates) (*Figure, error) {
	if g.Steps == 0 {
		return nil, fmt.Errorf("there are no minibatches to count")
	}
	var upper, lower, middle, shares plotter.XYs
	var band95 bars
	within := 0
	low := 1.0
	for i, p := range g.Survival {
		block, share := float64(i+1), float64(g.Open[i])/float64(g.Steps)
		half := 1.96 * math.Sqrt(p*(1-p)/float64(g.Steps)) // of the band
		if math.Abs(share-p) <= half {
			within++
		}
		low = min(low, share, p-half)
		middle = append(middle, plotter.XY{X: block, Y: p})
		upper = append(upper, plotter.XY{X: block, Y: min(p+half, 1)})
		lower = append(lower, plotter.XY{X: block, Y: p - half})
		band95.add(block, p, half, min(p+half, 1)-p)
		shares = append(shares, plotter.XY{X: block, Y: share})
	}
	slices.Reverse(lower)
	observed := seriesStyle{name: "share of minibatches in which the block was open", color: blue, glyph: draw.PyramidGlyph{},
		kind: aPoint}
	ideal := seriesStyle{name: "survival probability", says: "survival probability, with its 95 % band", color: red,
		dashes: []vg.Length{4, 2}}.adapted(middle)
	l := layout{headline: fmt.Sprintf("Survival of each block over a run: %d of %d within the 95 %% band", within, len(g.Survival)),
		styles: []seriesStyle{observed, ideal}, provenance: provenance.With(fmt.Sprintf("%d minibatches.", g.Steps))}
	return l.figure(2.4*vg.Inch, func(c draw.Canvas) {
		c = title(c, "Share of minibatches in which the block was open")
		p := newPlot()
		p.X.Label.Text, p.X.Tick.Marker = "block", niceTicks{each: true}
		p.X.Min, p.X.Max = 0.4, float64(len(g.Survival))+0.6
		p.Y.Min, p.Y.Max = max(0, low-(1-low)*0.1-0.02), 1.01
		frame(c, p)
		add(p, &plotter.Polygon{XYs: []plotter.XYs{slices.Concat(upper, lower)}, Color: blush})
		add(p, spreadsOf{ideal.name, band95})
		addCurve(p, ideal, middle)
		addPoints(p, observed, shares)
		p.Draw(c)
	}), nil
}
