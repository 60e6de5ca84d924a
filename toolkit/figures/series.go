package figures

import (
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/runs"
)

// measure is a column of the log that a figure shows.
type measure struct {
	name  string
	value func(runs.Row) float64
}

var (
	testError       = measure{"test error", func(r runs.Row) float64 { return r.TestError }}
	validationError = measure{"validation error", func(r runs.Row) float64 { return r.ValidationError }}
	trainError      = measure{"training error", func(r runs.Row) float64 { return r.TrainError }}
	trainLoss       = measure{"training loss", func(r runs.Row) float64 { return r.TrainLoss }}
)

// points returns a measure's finite values over the epochs; a diverged run's NaN are left out.
func (m measure) points(rows []runs.Row) plotter.XYs {
	var points plotter.XYs
	for _, row := range rows {
		if y := m.value(row); !math.IsNaN(y) && !math.IsInf(y, 0) {
			points = append(points, plotter.XY{X: row.Epoch, Y: y})
		}
	}
	return points
}

// positive returns the points that a logarithmic axis can show.
func positive(points plotter.XYs) plotter.XYs {
	var kept plotter.XYs
	for _, p := range points {
		if p.Y > 0 {
			kept = append(kept, p)
		}
	}
	return kept
}

// spread returns the lowest and highest value of all points.
func spread(lists ...plotter.XYs) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, points := range lists {
		for _, p := range points {
			low, high = min(low, p.Y), max(high, p.Y)
		}
	}
	return low, high
}

// tag is a label in the margin beside a plot, at the height of what it names.
type tag struct {
	y     vg.Length // wanted; spreadTags moves it
	text  string
	style draw.TextStyle
}

// spreadTags moves tags until none is nearer than gap to another and all are within [low, high]. Their order from bottom
// to top stays.
func spreadTags(tags []tag, gap, low, high vg.Length) {
	for i := range tags { // up from below
		floor := low
		if i > 0 {
			floor = tags[i-1].y + gap
		}
		tags[i].y = max(tags[i].y, floor)
	}
	for i := len(tags) - 1; i >= 0; i-- { // and down again from above
		ceiling := high
		if i < len(tags)-1 {
			ceiling = tags[i+1].y - gap
		}
		tags[i].y = min(tags[i].y, ceiling)
	}
}
