package figures

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/runs"
)

// Quickstart compares two runs that differ in their death rates: the error (with a circle at the epoch of the lowest
// validation error, whose test error counts), the training loss, and the training time. The headline is computed from
// the runs, whichever way they came out. Without test errors it shows validation errors. Runs that cannot be compared
// (another data set or depth, the first not of constant depth) or have no evaluated epoch yet are an error.
func Quickstart(constant, stochastic *runs.Run) (*Figure, error) {
	r, s := constant.Recipe, stochastic.Recipe
	switch {
	case !constant.Recipe.IsConstant():
		return nil, fmt.Errorf("the run %s is not of constant depth: its death rate must be 0", constant.Name)
	case r.Dataset != s.Dataset || r.Depth != s.Depth:
		return nil, fmt.Errorf("the runs %s (%s, %d layers) and %s (%s, %d layers) cannot be compared: they need the same data set and depth",
			constant.Name, r.Dataset, r.Depth, stochastic.Name, s.Dataset, s.Depth)
	}
	q := comparison{shown: testError}
	for i, run := range []*runs.Run{constant, stochastic} {
		best, ok := run.Best()
		if !ok {
			return nil, fmt.Errorf("the run %s has no evaluated epoch to draw yet: train it first", run.Name)
		}
		if math.IsNaN(best.TestError) {
			q.shown = validationError
		}
		q.runs[i], q.best[i], q.seconds[i] = run, best, run.Rows[len(run.Rows)-1].Seconds
	}
	q.looks = [2]look{constantLook, stochasticLook}
	return &Figure{figureWidth, 3.9 * vg.Inch, q.draw}, nil
}

// comparison is what Quickstart draws; index 0 is constant depth, 1 stochastic depth.
type comparison struct {
	runs    [2]*runs.Run
	best    [2]runs.Row
	seconds [2]float64 // of training
	looks   [2]look
	shown   measure // test or validation error
}

const (
	panelFoot = 40 // above the figure's lower edge
	panelHead = 68 // below its upper edge
)

func (q comparison) draw(c draw.Canvas) {
	headline := fit(text(bold(headlineSize), ink), q.headline(), c.Max.X-36)
	c.FillText(headline, vg.Point{X: 18, Y: c.Max.Y - 27}, q.headline())
	legend(c, vg.Point{X: 18, Y: c.Max.Y - 42}, q.looks[:]...)
	caption := text(sans(smallSize), grey)
	for i, line := range q.caption() {
		c.FillText(fit(caption, line, c.Max.X-36), vg.Point{X: 18, Y: 22 - 11*vg.Length(i)}, line)
	}
	panel := func(left, right vg.Length, title string) draw.Canvas {
		c.FillText(text(bold(titleSize), ink), vg.Point{X: left, Y: c.Max.Y - panelHead}, title)
		return draw.Crop(c, left, right-c.Max.X, panelFoot, -panelHead-6)
	}
	title := strings.ToUpper(q.shown.name[:1]) + q.shown.name[1:] + " (%)"
	area := q.drawErrors(panel(18, 262, title))
	q.drawLoss(panel(304, 446, "Training loss"))
	q.drawTimes(panel(462, figureWidth-18, "Training time"), area)
}

// headline says what came out, in numbers.
func (q comparison) headline() string {
	s := fmt.Sprintf("Stochastic depth: %s %s instead of %s", q.shown.name, q.percent(1), q.percent(0))
	if q.percent(0) == q.percent(1) {
		s = fmt.Sprintf("Stochastic depth: the same %s, %s", q.shown.name, q.percent(0))
	}
	if saved, unknown := q.saved(); unknown == "" {
		switch percent := math.Round(saved * 100); {
		case percent > 0:
			s += fmt.Sprintf(", in %.0f %% less training time", percent)
		case percent < 0:
			s += fmt.Sprintf(", in %.0f %% more training time", -percent)
		default:
			s += ", in the same training time"
		}
	}
	return s
}

// percent is a run's error at its selected epoch. One digit after the point is all that a small test set resolves.
func (q comparison) percent(i int) string {
	digits := 2
	if n := q.runs[i].Recipe.TestImages; n > 0 && n < 10000 {
		digits = 1
	}
	return fmt.Sprintf("%.*f %%", digits, q.shown.of(q.best[i]))
}

// saved is the fraction of the constant run's training time that the stochastic run did not need. It is known when
// both times are and both runs are of one machine; otherwise unknown says why not.
func (q comparison) saved() (fraction float64, unknown string) {
	a, b := q.runs[0].Result, q.runs[1].Result
	switch {
	case !(q.seconds[0] > 0 && q.seconds[1] > 0):
		return 0, "no times recorded"
	case a != nil && b != nil && (a.Machine != b.Machine || a.Device != b.Device):
		return 0, "different machines"
	}
	return 1 - q.seconds[1]/q.seconds[0], ""
}

// caption says what was run: two lines.
func (q comparison) caption() []string {
	r, s := q.runs[0].Recipe, q.runs[1].Recipe
	both := func(a, b any) string {
		if x, y := fmt.Sprint(a), fmt.Sprint(b); x != y {
			return x + " and " + y
		}
		return fmt.Sprint(a)
	}
	rule := fmt.Sprintf("%s rule, death rate %s", s.Rule, decimal(s.DeathRate))
	if s.Rule == "list" {
		rule = "own survival probabilities"
	}
	epochs := both(q.epochs(0), q.epochs(1)) + " epochs"
	if epochs == "1 epochs" {
		epochs = "1 epoch"
	}
	first := fmt.Sprintf("%s, %d layers (%d blocks), %s; %s; one run each (n = 1), seed %s.",
		r.Dataset, r.Depth, (r.Depth-2)/2, rule, epochs, both(r.Seed, s.Seed))
	second := fmt.Sprintf("Circles: %s at the epoch of the lowest validation error.", q.shown.name)
	var machines [2]string
	for i, run := range q.runs {
		machines[i] = machineOf(run.Result)
	}
	if where := both(machines[0], machines[1]); machines[0] != "" && machines[1] != "" {
		second += " Trained on " + where + "."
	}
	return []string{first, second}
}

// epochs is how many a run has done, not how many it was to do.
func (q comparison) epochs(i int) string {
	return decimal(q.runs[i].Rows[len(q.runs[i].Rows)-1].Epoch)
}

// drawErrors returns the area inside the axes, which the bars beside it share.
func (q comparison) drawErrors(c draw.Canvas) draw.Canvas {
	p := newPlot()
	q.setEpochs(p)
	curves := [2]plotter.XYs{q.shown.points(q.runs[0].Rows), q.shown.points(q.runs[1].Rows)}
	_, high := spread(curves[:]...)
	// The first epochs' errors would press the rest flat: like the paper's, the frame may cut them.
	selected := max(q.shown.of(q.best[0]), q.shown.of(q.best[1]))
	for i, points := range curves {
		addCurve(p, q.looks[i], points)
	}
	p.Y.Min, p.Y.Max = 0, max(min(high*1.05, selected*4), 1)
	p.Draw(c)

	area := p.DataCanvas(c)
	toX, toY := p.Transforms(&area)
	order := []int{0, 1} // from the lower error to the higher
	if q.shown.of(q.best[1]) < q.shown.of(q.best[0]) {
		order = []int{1, 0}
	}
	var tags []tag
	for _, i := range order {
		at := vg.Point{X: toX(q.best[i].Epoch), Y: toY(q.shown.of(q.best[i]))}
		style := text(bold(textSize), q.looks[i].color)
		style.YAlign = draw.YCenter
		tags = append(tags, tag{at.Y, q.percent(i), style})
		ring(c, q.looks[i].color, at, 5)
	}
	spreadTags(tags, 11, area.Min.Y+4, area.Max.Y)
	for n, i := range order { // thin lines from the circles to their numbers
		at := vg.Point{X: toX(q.best[i].Epoch) + 5, Y: toY(q.shown.of(q.best[i]))}
		leader := draw.LineStyle{Color: q.looks[i].color, Width: 0.6, Dashes: []vg.Length{1, 1.5}}
		c.StrokeLines(leader, []vg.Point{at, {X: area.Max.X + 3, Y: at.Y}, {X: area.Max.X + 8, Y: tags[n].y}})
		c.FillText(tags[n].style, vg.Point{X: area.Max.X + 10, Y: tags[n].y}, tags[n].text)
	}
	return area
}

func (q comparison) drawLoss(c draw.Canvas) {
	p := newPlot()
	q.setEpochs(p)
	curves := [2]plotter.XYs{positive(trainLoss.points(q.runs[0].Rows)), positive(trainLoss.points(q.runs[1].Rows))}
	low, high := spread(curves[:]...)
	if low > high {
		missing(c, "no training loss recorded")
		return
	}
	if high < 2*low { // a lone value, or nearly equal ones: show some of the axis around them
		low, high = low/1.5, high*1.5
	}
	for i, points := range curves {
		addCurve(p, q.looks[i], points)
	}
	p.Y.Min, p.Y.Max = low/1.05, high*1.05
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, logTicks{}
	p.Draw(c)
}

// setEpochs gives a plot the epochs that both runs need.
func (q comparison) setEpochs(p *plot.Plot) {
	p.X.Label.Text = "epoch"
	p.X.Tick.Marker = niceTicks{whole: true}
	p.X.Min, p.X.Max = 0, 1
	for _, run := range q.runs {
		p.X.Max = max(p.X.Max, run.Rows[len(run.Rows)-1].Epoch)
	}
}

// drawTimes draws one bar a run, on the base line and up to the height of area.
func (q comparison) drawTimes(c draw.Canvas, area draw.Canvas) {
	saved, unknown := q.saved()
	if unknown != "" {
		missing(c, unknown)
		return
	}
	foot, head := area.Min.Y, area.Max.Y-26
	longest := max(q.seconds[0], q.seconds[1])
	width := (c.Max.X - c.Min.X) / 2
	value := centered(text(bold(textSize), ink))
	for _, seconds := range q.seconds { // one size for both
		value = fit(value, duration(seconds), width-5)
	}
	for i, seconds := range q.seconds {
		left, right := c.Min.X+width*vg.Length(i)+4, c.Min.X+width*vg.Length(i+1)-4
		middle := (left + right) / 2
		top := foot + (head-foot)*vg.Length(seconds/longest)
		box(c, left, foot, right, top, q.looks[i].color, nil, nil)
		if i == 1 && saved > 0 { // the time that was not needed
			box(c, left, top, right, head, nil, q.looks[0].color, []vg.Length{2, 2})
			top = head
		}
		value.Color = q.looks[i].color
		c.FillText(value, vg.Point{X: middle, Y: top + 7}, duration(seconds))
		if change := math.Round(-saved * 100); i == 1 && change != 0 {
			c.FillText(value, vg.Point{X: middle, Y: top + 19}, strings.Replace(fmt.Sprintf("%+.0f %%", change), "-", "−", 1))
		}
		name := strings.TrimSuffix(q.looks[i].name, " depth")
		c.FillText(centered(text(sans(smallSize), grey)), vg.Point{X: middle, Y: foot - 9}, name)
	}
	c.StrokeLine2(draw.LineStyle{Color: grey, Width: 0.7}, c.Min.X, foot, c.Max.X, foot)
}

// missing says in an empty panel what the runs did not record.
func missing(c draw.Canvas, what string) {
	c.FillText(centered(text(sans(textSize), grey)), c.Center(), what)
}
