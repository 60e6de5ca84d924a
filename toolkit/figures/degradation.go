package figures

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/runs"
)

// Degradation draws why networks have shortcuts (He et al. 2015): the training error by epoch of plain networks, whose recipes
// have shortcut=none, and of residual ones, in two panels with a curve for each depth. Of several seeds the mean is drawn, and
// each is a fine line behind it.
func Degradation(provenance Provenance, list []*runs.Run) (*Figure, error) {
	plain, residual := map[int][]plotter.XYs{}, map[int][]plotter.XYs{} // by depth, for each seed
	provenance = provenance.With("Constant depth.")
	for _, run := range list {
		kind, layers := residual, run.Recipe.Depth
		if run.Recipe.Shortcut == "none" {
			kind = plain
		}
		points := trainError.points(run.Rows)
		if len(points) == 0 {
			return nil, fmt.Errorf("the run %s has no training error to draw", run.Name)
		}
		kind[layers] = append(kind[layers], points)
	}
	if len(plain) == 0 || len(residual) == 0 {
		return nil, errors.New("this figure compares plain networks (shortcut=none) with residual ones: name runs of both kinds")
	}
	depths := slices.Sorted(maps.Keys(plain))
	if !slices.Equal(depths, slices.Sorted(maps.Keys(residual))) || len(depths) > len(stochasticStyles) {
		return nil, fmt.Errorf("this figure compares plain and residual networks of the same depths, %d at most: name runs of such",
			len(stochasticStyles))
	}
	var styles []seriesStyle
	for i, layers := range depths {
		styles = append(styles, stochasticStyles[i].named(fmt.Sprintf("%d layers", layers)))
	}
	if len(list) > 2*len(depths) {
		provenance = provenance.With("Fine lines: each seed; bold: their mean.")
	}
	l := layout{headline: "Training error of plain and of residual networks", styles: styles, provenance: provenance}
	return l.panels(2, 2.5*vg.Inch, func(panel int, c draw.Canvas) {
		kind, name := plain, "Plain: training error (%)"
		if panel == 1 {
			kind, name = residual, "Residual: training error (%)"
		}
		c = title(c, name)
		p := newPlot()
		p.X.Label.Text, p.X.Tick.Marker = "epoch", niceTicks{whole: true}
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 100
		for i, layers := range depths {
			addSeeds(p, styles[i], kind[layers])
			for _, points := range kind[layers] {
				p.X.Max = max(p.X.Max, points[len(points)-1].X*1.02)
			}
		}
		frame(c, p)
		for i, layers := range depths { // in front of the seeds of all depths
			addCurve(p, styles[i], drawnCurves(kind[layers])[0])
		}
		p.Draw(c)
	}), nil
}
