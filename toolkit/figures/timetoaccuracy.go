package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

// TimeToAccuracy is the table of how soon stochastic depth reaches the lowest validation error of constant depth, and the other
// way round, for each stochastic setting of the runs with its counterpart (see [outcome.Reach]). A setting without its
// counterpart is an error.
func TimeToAccuracy(list []*runs.Run) (Table, error) {
	t := Table{Title: "Time to accuracy: when one reaches the other's lowest validation error",
		Columns: []string{"Data", "Layers", "Epochs", "Survival", "n", "Stochastic gets there", "Steps", "Time", "Constant gets there",
			"Steps", "Time"}}
	rows, err := rowsOfRegimes(list, func(c outcome.Comparison) TableRow {
		r := c.StochasticRuns[0].Recipe
		there, back := c.Reach(), c.ReachBack()
		row := TableRow{Cells: []string{dataCell(r), fmt.Sprint(r.Depth), fmt.Sprint(r.Epochs), outcome.Closing(r), fmt.Sprint(there.Pairs)}}
		for _, side := range []outcome.Reach{there, back} {
			row.Cells = append(row.Cells, fmt.Sprintf("%d of %d", side.Reached, side.Pairs), percentOf(side.Steps), percentOf(side.Time))
		}
		return row
	})
	if err != nil {
		return t, err
	}
	t.Rows = rows
	t.Provenance = OfRuns(list).With(getsThere+".", "Steps and time: of those seeds, until then, as a share of what the other needed",
		"for its lowest error; mean and standard deviation. A dash: none gets there, or times of two machines.")
	return t, nil
}

// getsThere says in a caption which seeds count.
const getsThere = "Gets there: seeds whose validation error falls to the lowest one of the other's run with the same seed, or below"

// percentOf writes a fraction in percent.
func percentOf(e outcome.Estimate) string {
	if e.N == 0 || math.IsNaN(e.Mean) {
		return "–"
	}
	return outcome.Estimate{Mean: 100 * e.Mean, Deviation: 100 * e.Deviation, N: e.N}.Text(0) + " %"
}

// TimeToAccuracyFigure draws the shares of steps of [TimeToAccuracy], a line for each stochastic setting.
func TimeToAccuracyFigure(list []*runs.Run) (*Figure, error) {
	regimes, err := outcome.Regimes(list)
	if err != nil {
		return nil, err
	}
	var lines []reachLine
	for _, comparisons := range regimes {
		for _, c := range comparisons {
			r := c.StochasticRuns[0].Recipe
			lines = append(lines, reachLine{fmt.Sprintf("%s, %d layers, %d epochs, %s", dataCell(r), r.Depth, r.Epochs, r.DepthName()),
				c.Reach(), c.ReachBack()})
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("there are no runs to compare")
	}
	most := 1.0
	for _, line := range lines {
		for _, side := range []outcome.Reach{line.there, line.back} {
			if side.Reached > 0 {
				most = max(most, side.Steps.Mean)
			}
		}
	}
	styles := []seriesStyle{stochasticStyle.named("stochastic depth reaches constant depth's lowest error").as(aPoint),
		constantStyle.named("constant depth reaches stochastic depth's").as(aPoint)}
	l := layout{headline: "Steps until one reaches the other's lowest validation error", styles: styles,
		provenance: OfRuns(list).With(getsThere + ", mean over those seeds. At the right: how many do.")}
	return l.figure(vg.Length(len(lines))*19+36, func(c draw.Canvas) {
		p := newPlot()
		p.X.Label.Text = "steps, in percent of those that the other needed"
		p.X.Min, p.X.Max = 0, 100*most+38
		p.Y.Min, p.Y.Max = -0.6, float64(len(lines))-0.4
		var ticks plot.ConstantTicks
		for i, line := range lines {
			ticks = append(ticks, plot.Tick{Value: float64(len(lines) - 1 - i), Label: line.name})
		}
		p.Y.Tick.Marker = ticks
		addLine(p, draw.LineStyle{Color: grey, Width: 1, Dashes: []vg.Length{3, 3}},
			plotter.XYs{{X: 100, Y: p.Y.Min}, {X: 100, Y: p.Y.Max}})
		for side, style := range styles {
			var points plotter.XYs
			for i, line := range lines {
				r := []outcome.Reach{line.there, line.back}[side]
				if r.Reached > 0 {
					points = append(points, plotter.XY{X: 100 * r.Steps.Mean, Y: float64(len(lines)-1-i) + 0.16 - 0.32*float64(side)})
				}
			}
			if len(points) > 0 {
				addMarkers(p, style, 3, points)
			}
		}
		frameX(c, p)
		p.Add(reachCounts{lines, styles})
		p.Draw(c)
	}), nil
}

// reachLine is a setting of the figure.
type reachLine struct {
	name        string
	there, back outcome.Reach
}

// reachCounts is a plotter of how many seeds get there.
type reachCounts struct {
	lines  []reachLine
	styles []seriesStyle // of both sides
}

// Plot writes the counts, and takes the shares down: it implements plot.Plotter.
func (r reachCounts) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	lines := r.lines
	for i, line := range lines {
		for side, reached := range []outcome.Reach{line.there, line.back} {
			if reached.Reached > 0 {
				share := 100 * reached.Steps.Mean
				n := value(r.styles[side].name, math.NaN(), share, vg.Point{X: toX(share), Y: toY(float64(len(lines) - 1 - i))})
				n.At = line.name
				notesOf(c).take(n)
			}
		}
		at := vg.Point{X: c.Max.X - 4, Y: toY(float64(len(lines)-1-i)) + 4}
		sty := text(sans(smallSize), grey)
		sty.XAlign, sty.YAlign = draw.XRight, draw.YCenter
		c.FillText(sty, at, fmt.Sprintf("%d of %d; back %d of %d", line.there.Reached, line.there.Pairs, line.back.Reached, line.back.Pairs))
	}
}
