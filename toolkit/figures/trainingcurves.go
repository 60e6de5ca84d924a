package figures

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

// Training is one network's training as Fig. 3 and 4 show it.
type Training struct {
	Error    plotter.XYs // test error in percent, by epoch
	Loss     plotter.XYs // training loss (mean cross-entropy), by epoch
	Selected plotter.XY  // epoch of the lowest validation error, and the test error there
}

// Panel is one network at constant and at stochastic depth, a training for each seed; one of the two may be missing.
type Panel struct {
	Title                string
	Dataset              string // and the number of layers, of runs
	Layers               int
	Constant, Stochastic []*Training
	Published            [2]*Training // the paper's of constant and of stochastic depth, to be drawn beside runs; nil: none
	Digits               int          // after the point of the selected errors
}

// TrainingOf takes a run's curves. A run without an evaluated epoch or without test errors is an error.
func TrainingOf(run *runs.Run) (*Training, error) {
	best, err := outcome.TestError.Selected(run)
	if err != nil {
		return nil, err
	}
	return &Training{testError.points(run.Rows), trainLoss.points(run.Rows), plotter.XY{X: best.Epoch, Y: best.TestError}}, nil
}

// PanelsOf makes a panel for each data set and depth of the runs; if the panels have different p_L, each says its own.
// Runs of a panel that differ in more than the survival rule and the seed, several stochastic settings and two runs of
// one seed are errors.
func PanelsOf(list []*runs.Run) ([]Panel, error) {
	var panels []Panel
	var settings []string // of stochastic depth, of each panel
	for len(list) > 0 {
		var constant, stochastic, others []*runs.Run
		for _, run := range list {
			switch r := run.Recipe; {
			case r.Dataset != list[0].Recipe.Dataset || r.Depth != list[0].Recipe.Depth:
				others = append(others, run)
			case r.IsConstant():
				constant = append(constant, run)
			default:
				stochastic = append(stochastic, run)
			}
		}
		if err := outcome.OnlySeedsApart(constant, stochastic); err != nil {
			return nil, err
		}
		first := list[0].Recipe
		panel := Panel{Title: fmt.Sprintf("%s, %d layers", outcome.DatasetName(first), first.Depth),
			Dataset: outcome.DatasetName(first), Layers: first.Depth, Digits: outcome.Digits(first)}
		var err error
		if panel.Constant, err = trainingsOf(constant); err != nil {
			return nil, err
		}
		if panel.Stochastic, err = trainingsOf(stochastic); err != nil {
			return nil, err
		}
		setting := ""
		if len(stochastic) > 0 {
			setting = outcome.Closing(stochastic[0].Recipe)
		}
		settings = append(settings, setting)
		panels, list = append(panels, panel), others
	}
	if slices.ContainsFunc(settings, func(s string) bool { return s != settings[0] }) {
		for i, setting := range settings {
			panels[i].Title = strings.TrimSuffix(panels[i].Title+", "+setting, ", ")
		}
	}
	return panels, nil
}

// trainingsOf takes the curves of runs that differ in the seed.
func trainingsOf(group []*runs.Run) ([]*Training, error) {
	var trainings []*Training
	for _, run := range group {
		t, err := TrainingOf(run)
		if err != nil {
			return nil, err
		}
		trainings = append(trainings, t)
	}
	return trainings, nil
}

// Styles of the training losses; the paper's are magenta and green too.
var (
	constantLossStyle   = seriesStyle{name: "training loss, constant", color: magenta, dashes: []vg.Length{1.5, 1.5}, width: 0.9}
	stochasticLossStyle = seriesStyle{name: "training loss, stochastic", color: green, dashes: []vg.Length{7, 1.5, 1.5, 1.5},
		width: 0.9}
)

// TrainingCurves draws one or two panels like those of Fig. 3 and 4: the test error (left axis, linear) and the training
// loss (right axis, logarithmic) over the epochs, with a circle at the selected epoch and its error beside it. If there
// are several seeds, each has its own, finer curves, and the mean of their errors stands beside one of the circles.
func TrainingCurves(provenance Provenance, panels ...Panel) (*Figure, error) {
	if len(panels) < 1 || len(panels) > 2 {
		return nil, fmt.Errorf("a figure of %d panels cannot be read: draw one or two", len(panels))
	}
	var styles trainingStyles
	if slices.ContainsFunc(panels, func(p Panel) bool { return max(len(p.Constant), len(p.Stochastic)) > 1 }) {
		provenance = provenance.With("Each curve is one seed; beside the circles: mean ± standard deviation.")
	}
	for i := range styles.errors {
		var testErrors, losses []plotter.XYs
		several := false
		for _, p := range panels {
			for _, t := range p.trainings()[i] {
				testErrors, losses = append(testErrors, t.Error), append(losses, logarithms(t.Loss))
			}
			several = several || len(p.trainings()[i]) > 1
		}
		kinds := []seriesStyle{constantStyle.named("test error, constant"), stochasticStyle.named("test error, stochastic")}
		styles.errors[i] = kinds[i].adapted(testErrors...)
		styles.losses[i] = []seriesStyle{constantLossStyle, stochasticLossStyle}[i]
		if slices.ContainsFunc(losses, noisy) {
			styles.losses[i].dashes = nil
		}
		if several {
			styles.errors[i].width, styles.losses[i].width = 1, 0.7
		}
		styles.shown[i] = len(testErrors) > 0
		styles.published[i] = kinds[i].published()
		styles.published[i].glyph, styles.published[i].dashes, styles.published[i].width = nil, nil, 1
		styles.beside[i] = slices.ContainsFunc(panels, func(p Panel) bool { return p.Published[i] != nil })
	}
	for _, p := range panels {
		if !slices.ContainsFunc(slices.Concat(p.Constant, p.Stochastic), func(t *Training) bool { return len(t.Error) > 0 }) {
			return nil, fmt.Errorf("there is no test error to draw for %s", p.Title)
		}
	}
	l := layout{headline: "Test error and training loss", styles: styles.legend(), provenance: provenance}
	return l.panels(len(panels), 2.7*vg.Inch, func(i int, c draw.Canvas) { panels[i].draw(c, styles) }), nil
}

// trainings returns those of constant and those of stochastic depth.
func (p Panel) trainings() [2][]*Training { return [2][]*Training{p.Constant, p.Stochastic} }

// trainingStyles are those of all panels, of constant and of stochastic depth.
type trainingStyles struct {
	errors, losses, published [2]seriesStyle
	shown, beside             [2]bool
}

// legend returns the styles of the curves that some panel has: test errors first.
func (l trainingStyles) legend() []seriesStyle {
	var styles []seriesStyle
	for _, kind := range [][2]seriesStyle{l.errors, l.losses} {
		for i, style := range kind {
			if l.shown[i] {
				styles = append(styles, style)
			}
		}
	}
	for i, style := range l.published {
		if l.beside[i] {
			styles = append(styles, style)
		}
	}
	return styles
}

// logarithms returns a curve as a logarithmic axis shows it.
func logarithms(points plotter.XYs) plotter.XYs {
	shown := positive(points)
	for i := range shown {
		shown[i].Y = math.Log(shown[i].Y)
	}
	return shown
}

func (p Panel) draw(c draw.Canvas, styles trainingStyles) {
	c = title(c, p.Title)
	c.FillText(text(sans(smallSize), grey), vg.Point{X: c.Min.X, Y: c.Max.Y - 8}, "test error (%)")
	c = draw.Crop(c, 0, 0, 0, -14)

	plt := newPlot()
	plt.X.Label.Text = "epoch"
	all := slices.Concat(p.Constant, p.Stochastic)
	drawn := all
	for _, t := range p.Published {
		if t != nil {
			drawn = append(drawn, &Training{Error: t.Error, Selected: t.Selected}) // its loss is not
		}
	}
	setRanges(plt, drawn)
	if framed := frameX(c, plt); framed {
		plt.X.Tick.Marker = niceTicks{whole: true}
	}
	frameY(c, plt)
	lowest, highest := math.Inf(1), math.Inf(-1) // of the losses that a logarithmic axis can show
	for _, t := range all {
		l, h := spread(positive(t.Loss))
		lowest, highest = min(lowest, l), max(highest, h)
	}
	selected := callouts{}
	if lowest <= highest {
		axis := NewLogRightAxis("training loss", lowest, highest)
		for i, trainings := range p.trainings() {
			for _, t := range trainings {
				axis.add(t.Loss, styles.losses[i])
			}
		}
		plt.Add(axis)
		selected.others = axis.paths
	}
	for i, t := range p.Published {
		if t != nil {
			addCurve(plt, styles.published[i], t.Error)
			selected.curves = append(selected.curves, t.Error)
			selected.marks = append(selected.marks, callout{at: t.Selected, text: fmt.Sprintf("published: %.2f %%", t.Selected.Y),
				style: text(sans(smallSize), styles.errors[i].hue()), above: i == 0, radius: 4})
		}
	}
	for i, trainings := range p.trainings() {
		for _, t := range trainings {
			addCurve(plt, styles.errors[i], t.Error)
			selected.curves = append(selected.curves, t.Error)
		}
		selected.marks = append(selected.marks, p.circles(i, text(bold(textSize), styles.errors[i].hue()))...)
	}
	plt.Add(selected)
	plt.Draw(c)
}

// circles returns the circles around the selected epochs of constant (0) or stochastic depth (1). The mean error stands
// above the highest or below the lowest of them, away from the other kind of depth.
func (p Panel) circles(kind int, style draw.TextStyle) []callout {
	ours, theirs := p.trainings()[kind], p.trainings()[1-kind]
	if len(ours) == 0 {
		return nil
	}
	mean, other := selectedError(ours), selectedError(theirs)
	above := other.N == 0 || mean.Mean > other.Mean || mean.Mean == other.Mean && kind == 0
	outermost := 0
	var list []callout
	for i, t := range ours {
		list = append(list, callout{at: t.Selected, style: style, above: above, radius: 5})
		if y := ours[outermost].Selected.Y; above && t.Selected.Y > y || !above && t.Selected.Y < y {
			outermost = i
		}
	}
	list[outermost].text = mean.Percent(p.Digits)
	return list
}

// selectedError averages the selected errors of trainings, of which there may be none.
func selectedError(trainings []*Training) outcome.Estimate {
	var values []float64
	for _, t := range trainings {
		values = append(values, t.Selected.Y)
	}
	return outcome.Average(values...)
}

// setRanges lets the frame cut the errors of the first epochs, as in the paper: they would flatten the rest.
func setRanges(plt *plot.Plot, list []*Training) {
	low, high, selected := math.Inf(1), math.Inf(-1), 0.0
	first, last := math.Inf(1), 1.0
	for _, t := range list {
		l, h := spread(t.Error)
		low, high, selected = min(low, l, t.Selected.Y), max(high, h), max(selected, t.Selected.Y)
		for _, points := range []plotter.XYs{t.Error, t.Loss} {
			if n := len(points); n > 0 {
				first, last = min(first, points[0].X), max(last, points[n-1].X)
			}
		}
	}
	if first < last/4 {
		first = 0
	}
	high = max(min(high, selected*3), low+1e-3)
	plt.X.Min, plt.X.Max = math.Floor(first), last
	if plt.X.Min == plt.X.Max {
		plt.X.Min--
	}
	plt.X.Tick.Marker = plot.ConstantTicks(niceTicks{whole: true}.Ticks(plt.X.Min, plt.X.Max))
	plt.X.Max += (plt.X.Max - plt.X.Min) * 0.025 // for a circle at the last epoch
	room := (high - low) * 0.2                   // for labels below the lowest circle and above the highest
	plt.Y.Min, plt.Y.Max = max(0, low-room), max(high+(high-low)*0.03, selected+room)
	if low < room {
		plt.Y.Min = 0
	}
}
