package figures

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/runs"
)

// LiveCurve draws the validation error so far of one or more runs (the test error where there is no validation part),
// small and quickly, for a notebook that draws it again after each epoch: take its Bytes("svg"). A run without rows is
// shown as waiting; all runs may be so. The epoch axis has the length of the longest recipe, so that the curves grow into
// it.
func LiveCurve(list ...*runs.Run) (*Figure, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("no run to draw: name one at least")
	}
	layout := func(width vg.Length, style Style) (vg.Length, func(c draw.Canvas)) {
		return 190 * width / liveWidth, func(c draw.Canvas) { drawLive(c, list) }
	}
	return design{width: liveWidth, layout: layout}.figure(), nil
}

// liveWidth is less than that of other figures.
const liveWidth = 460

// furtherColors are the colours after the first constant and the first stochastic run.
var furtherColors = []role{green, magenta, amber, ink}

// stylesOf gives each run a style of its own, as far as there are colours.
func stylesOf(list []*runs.Run) []seriesStyle {
	styles := make([]seriesStyle, len(list))
	used := map[bool]bool{}
	next := 0
	for i, run := range list {
		constant := run.Recipe.IsConstant()
		styles[i] = stochasticStyle
		if constant {
			styles[i] = constantStyle
		}
		if used[constant] {
			styles[i].color = furtherColors[next%len(furtherColors)]
			next++
		}
		used[constant] = true
	}
	return styles
}

func drawLive(c draw.Canvas, list []*runs.Run) {
	shown := validationError
	if low, high := spreadOf(validationError, list); low > high {
		if low, high := spreadOf(testError, list); low <= high {
			shown = testError
		}
	}
	p := newPlot()
	p.X.Label.Text = "epoch"
	p.X.Tick.Marker = niceTicks{whole: true}
	styles := stylesOf(list)
	tags := make([]tag, len(list))
	margin := vg.Length(0)
	epochs := 1.0
	for i, run := range list {
		points := shown.points(run.Rows)
		addCurve(p, styles[i].named(run.Name), points)
		epochs = max(epochs, float64(run.Recipe.Epochs))
		style := text(bold(smallSize), styles[i].hue())
		style.YAlign = draw.YCenter
		tags[i] = tag{math.MaxFloat64, run.Name + "  waiting", style}
		if n := len(points); n > 0 {
			epochs = max(epochs, points[n-1].X)
			tags[i].y, tags[i].text = vg.Length(points[n-1].Y), fmt.Sprintf("%s  %.1f %%", run.Name, points[n-1].Y)
		}
		margin = max(margin, style.Width(tags[i].text))
	}
	_, high := spreadOf(shown, list)
	p.X.Min, p.X.Max = 0, epochs
	p.Y.Min, p.Y.Max = 0, max(high*1.05, 1)
	if high < 0 { // nothing to show yet
		p.Y.Max = 100
	}
	frame(c, p)
	margin = min(margin, c.Max.X*0.4)

	notesOf(c).panel = shown.name + " (%)"
	name := strings.ToUpper(shown.name[:1]) + shown.name[1:] + " (%)"
	if slices.ContainsFunc(list, func(run *runs.Run) bool { return !run.Finished() }) {
		name = "Error so far: " + shown.name + " (%)"
	}
	c.FillText(text(bold(textSize), ink), vg.Point{X: 8, Y: c.Max.Y - 14}, name)
	inner := draw.Crop(c, 8, -margin-18, 4, -24)
	p.Draw(inner)
	area := p.DataCanvas(inner)
	_, toY := p.Transforms(&area)
	for i := range tags {
		tags[i].y = min(toY(float64(tags[i].y)), area.Max.Y)
	}
	sort.SliceStable(tags, func(i, j int) bool { return tags[i].y < tags[j].y })
	spreadTags(tags, min(11, (area.Max.Y-area.Min.Y)/vg.Length(len(tags))), area.Min.Y+4, area.Max.Y)
	for _, t := range tags {
		c.FillText(fit(t.style, t.text, margin), vg.Point{X: area.Max.X + 10, Y: t.y}, t.text)
	}
}

// spreadOf returns the lowest and highest value of a measure over all runs; the lowest is above the highest when
// there is none.
func spreadOf(m measure, list []*runs.Run) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, run := range list {
		l, h := spread(m.points(run.Rows))
		low, high = min(low, l), max(high, h)
	}
	return low, high
}
