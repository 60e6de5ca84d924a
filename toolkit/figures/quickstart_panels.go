package figures

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/outcome"
)

// addRuns adds a curve for each run; several are thin and have a bold mean.
func addRuns(p *plot.Plot, s seriesStyle, curves []plotter.XYs) {
	addSeeds(p, s, curves)
	if len(curves) > 1 {
		s = s.of("mean")
	}
	addCurve(p, s, drawnCurves(curves)[0])
}

// addSeeds adds the thin curves of several runs.
func addSeeds(p *plot.Plot, s seriesStyle, curves []plotter.XYs) {
	if len(curves) == 1 {
		return
	}
	for _, points := range curves {
		addLine(p, draw.LineStyle{Color: blend{s.hue(), 0.55}, Width: 0.6}, points)
		add(p, noted{s, points})
	}
}

// meanCurve is the mean of curves where all of them have a point.
func meanCurve(curves []plotter.XYs) plotter.XYs {
	sums, counts := map[float64]float64{}, map[float64]int{}
	for _, points := range curves {
		for _, p := range points {
			sums[p.X] += p.Y
			counts[p.X]++
		}
	}
	var mean plotter.XYs
	for _, p := range curves[0] {
		if counts[p.X] == len(curves) {
			mean = append(mean, plotter.XY{X: p.X, Y: sums[p.X] / float64(len(curves))})
		}
	}
	return mean
}

// drawErrors returns the area inside the axes, which the bars beside it share.
func (q quickstart) drawErrors(c draw.Canvas) draw.Canvas {
	p := newPlot()
	q.setEpochs(p)
	sides, estimates := q.sides()
	high, selected := math.Inf(-1), 0.0
	for i, group := range sides {
		var curves []plotter.XYs
		for _, run := range group {
			curves = append(curves, q.shown.points(run.Rows))
		}
		_, h := spread(curves...)
		high, selected = max(high, h), max(selected, estimates[i].Mean+estimates[i].Deviation)
		addRuns(p, q.styles[i], curves)
	}
	// The first epochs' errors would flatten the rest: as in the paper, the frame may cut them.
	above := 4.0
	if !q.Single() {
		above = 2.5 // the spread is to be seen
	}
	p.Y.Min, p.Y.Max = 0, max(min(high*1.05, selected*above), 1)
	frame(c, p)
	p.Draw(c)
	area := p.DataCanvas(c)
	q.drawSelected(c, p, area)
	return area
}

// drawSelected draws a ring at each run's selected epoch, and beside the curves the errors in numbers, with the mean and
// its spread where there are several runs.
func (q quickstart) drawSelected(c draw.Canvas, p *plot.Plot, area draw.Canvas) {
	toX, toY := p.Transforms(&area)
	sides, estimates := q.sides()
	order := []int{0, 1} // from the lower error to the higher
	if estimates[1].Mean < estimates[0].Mean {
		order = []int{1, 0}
	}
	digits := q.Digits()
	starts := make([]vg.Point, 2) // of the thin lines to the numbers
	edge := area.Max.X + 8
	var tags []tag
	for _, i := range order {
		style := text(bold(textSize), q.styles[i].hue())
		style.YAlign = draw.YCenter
		tags = append(tags, tag{toY(estimates[i].Mean), estimates[i].Percent(digits), style})
		radius := vg.Length(5)
		if !q.Single() {
			radius = 2.5
		}
		for _, run := range sides[i] {
			best, _ := q.Quantity.Selected(run)
			at := vg.Point{X: toX(best.Epoch), Y: toY(q.shown.value(best))}
			if starts[i] = (vg.Point{X: at.X + radius, Y: at.Y}); at.X > area.Max.X+1 {
				starts[i].X = edge - 5
			}
			if at.Y <= area.Max.Y+1 && at.Y >= area.Min.Y-1 && at.X >= area.Min.X-1 && at.X <= area.Max.X+1 {
				ring(c, q.styles[i].hue(), at, radius)
			}
		}
		if !q.Single() { // the mean and its spread, beside the curves
			at := vg.Point{X: area.Max.X + 7 + 7*vg.Length(i), Y: toY(estimates[i].Mean)}
			errorBar(c, at.X, toY(max(0, estimates[i].Mean-estimates[i].Deviation)), toY(estimates[i].Mean+estimates[i].Deviation),
				q.styles[i].hue())
			c.DrawGlyphNoClip(q.styles[i].marker(2.4), at)
			starts[i], edge = vg.Point{X: at.X + 3, Y: at.Y}, area.Max.X+22
		}
	}
	spreadTags(tags, 11, area.Min.Y+4, area.Max.Y)
	for n, i := range order {
		leader := draw.LineStyle{Color: q.styles[i].hue(), Width: 0.6, Dashes: []vg.Length{1, 1.5}}
		c.StrokeLines(leader, []vg.Point{starts[i], {X: edge - 5, Y: starts[i].Y}, {X: edge, Y: tags[n].y}})
		c.FillText(tags[n].style, vg.Point{X: edge + 2, Y: tags[n].y}, tags[n].text)
	}
}

// drawLoss returns the area inside the axes.
func (q quickstart) drawLoss(c draw.Canvas) draw.Canvas {
	p := newPlot()
	q.setEpochs(p)
	sides, _ := q.sides()
	low, high := math.Inf(1), math.Inf(-1)
	for i, group := range sides {
		var curves []plotter.XYs
		for _, run := range group {
			curves = append(curves, positive(trainLoss.points(run.Rows)))
		}
		l, h := spread(curves...)
		low, high = min(low, l), max(high, h)
		addRuns(p, q.styles[i], curves)
	}
	if low > high {
		missing(c, "no training loss recorded")
		return draw.Crop(c, 0, 0, 25, 0)
	}
	if high < 2*low { // a lone value, or nearly equal ones: show some of the axis around them
		low, high = low/1.5, high*1.5
	}
	p.Y.Min, p.Y.Max = low/1.05, high*1.05
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, logTicks{}
	p.Draw(c)
	return p.DataCanvas(c)
}

// setEpochs gives a plot the epochs that all runs need.
func (q quickstart) setEpochs(p *plot.Plot) {
	p.X.Label.Text = "epoch"
	p.X.Tick.Marker = niceTicks{whole: true}
	p.X.Min, p.X.Max = 0, 1
	for _, run := range slices.Concat(q.ConstantRuns, q.StochasticRuns) {
		p.X.Max = max(p.X.Max, run.Rows[len(run.Rows)-1].Epoch)
	}
}

// drawTimes draws one bar for each setting, the mean of its runs, on the base line and up to the height of area.
func (q quickstart) drawTimes(c draw.Canvas, area draw.Canvas) {
	switch {
	case q.ConstantTime.N == 0 || q.StochasticTime.N == 0:
		missing(c, "no times recorded")
		return
	case errors.Is(q.NoTimeSaved, outcome.ErrSteps):
		missing(c, "unequal epochs")
		return
	case q.NoTimeSaved != nil:
		missing(c, "different machines")
		return
	}
	estimates := [2]outcome.Estimate{q.ConstantTime, q.StochasticTime}
	notesOf(c).panel = "Training time (s)"
	times := [2]float64{estimates[0].Mean, estimates[1].Mean}
	foot, head := area.Min.Y, area.Max.Y-26
	longest := max(times[0], times[1])
	width := (c.Max.X - c.Min.X) / 2
	value := centered(text(bold(textSize), ink))
	for _, seconds := range times { // one size for both
		value = fit(value, duration(seconds), width-5)
	}
	for i, seconds := range times {
		left, right := c.Min.X+width*vg.Length(i)+4, c.Min.X+width*vg.Length(i+1)-4
		middle := (left + right) / 2
		top := foot + (head-foot)*vg.Length(seconds/longest)
		box(c, left, foot, right, top, q.styles[i].hue(), nil, nil)
		if i == 1 && q.TimeSaved > 0 { // the time that was not needed
			box(c, left, top, right, head, nil, q.styles[0].hue(), []vg.Length{2, 2})
			top = head
		}
		value.Color = q.styles[i].hue()
		c.FillText(value, vg.Point{X: middle, Y: top + 7}, duration(seconds))
		at := vg.Point{X: middle, Y: foot + (head-foot)*vg.Length(seconds/longest)}
		notesOf(c).take(estimated(q.styles[i].name, math.NaN(), estimates[i], at))
		if change := math.Round(-q.TimeSaved * 100); i == 1 && change != 0 {
			c.FillText(value, vg.Point{X: middle, Y: top + 19}, strings.Replace(fmt.Sprintf("%+.0f %%", change), "-", "−", 1))
		}
		name := strings.TrimSuffix(q.styles[i].name, " depth")
		c.FillText(centered(text(sans(smallSize), grey)), vg.Point{X: middle, Y: foot - 9}, name)
	}
	c.StrokeLine2(draw.LineStyle{Color: grey, Width: 0.7}, c.Min.X, foot, c.Max.X, foot)
}

// missing says in an empty panel what the runs did not record.
func missing(c draw.Canvas, what string) {
	c.FillText(centered(text(sans(textSize), grey)), c.Center(), what)
}
