package figures

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/runs"
)

// Training is one network's training as Fig. 3 and 4 show it.
type Training struct {
	Error    plotter.XYs // test error in percent, by epoch
	Loss     plotter.XYs // training loss (mean cross-entropy), by epoch
	Selected plotter.XY  // epoch of the lowest validation error, and the test error there
}

// Panel is one network at constant and at stochastic depth; one of the two may be missing.
type Panel struct {
	Title                string
	Constant, Stochastic *Training
	Digits               int // after the point of the selected errors
}

// TrainingOf takes a run's curves. A run without an evaluated epoch or without test errors is an error.
func TrainingOf(run *runs.Run) (*Training, error) {
	best, ok := run.Best()
	if !ok || math.IsNaN(best.TestError) {
		return nil, noEpoch(run)
	}
	return &Training{testError.points(run.Rows), trainLoss.points(run.Rows), plotter.XY{X: best.Epoch, Y: best.TestError}}, nil
}

// PanelsOf pairs runs by data set and depth, one of constant and one of stochastic depth each: a panel a pair. Runs of
// a pair that differ in more than the survival rule and the seed, or a second run of a kind, are an error.
func PanelsOf(list []*runs.Run) ([]Panel, error) {
	var panels []Panel
	var firsts []*runs.Run // of each panel
	for _, run := range list {
		training, err := TrainingOf(run)
		if err != nil {
			return nil, err
		}
		i := 0
		for i < len(firsts) && (firsts[i].Recipe.Dataset != run.Recipe.Dataset || firsts[i].Recipe.Depth != run.Recipe.Depth) {
			i++
		}
		if i == len(panels) {
			title := fmt.Sprintf("%s, %d layers", DatasetName(run.Recipe), run.Recipe.Depth)
			panels, firsts = append(panels, Panel{Title: title, Digits: digitsOf(run.Recipe)}), append(firsts, run)
		}
		if err := sameSettings([]*runs.Run{firsts[i], run}, "seed"); err != nil {
			return nil, err
		}
		kind, word := &panels[i].Stochastic, "stochastic"
		if run.Recipe.IsConstant() {
			kind, word = &panels[i].Constant, "constant"
		}
		if *kind != nil {
			return nil, fmt.Errorf("the run %s is a second one of %s depth for %s: name one of constant and one of stochastic depth", run.Name, word, panels[i].Title)
		}
		*kind = training
	}
	return panels, nil
}

// digitsOf is how many digits after the point of an error the test set resolves.
func digitsOf(r runs.Recipe) int {
	if n := r.TestImages; n > 0 && n < 10000 {
		return 1
	}
	return 2
}

// Styles of the training losses; the paper's are magenta and green too.
var (
	constantLossStyle   = seriesStyle{name: "training loss, constant", color: magenta, dashes: []vg.Length{1.5, 1.5}, width: 0.9}
	stochasticLossStyle = seriesStyle{name: "training loss, stochastic", color: green, dashes: []vg.Length{7, 1.5, 1.5, 1.5}, width: 0.9}
)

// TrainingCurves draws one or two panels like those of Fig. 3 and 4: the test error (left axis, linear) and the training
// loss (right axis, logarithmic) over the epochs, with a circle at the selected epoch and its error beside it.
func TrainingCurves(provenance Provenance, panels ...Panel) (*Figure, error) {
	if len(panels) < 1 || len(panels) > 2 {
		return nil, fmt.Errorf("a figure of %d panels cannot be read: draw one or two", len(panels))
	}
	var styles trainingStyles
	for i, kind := range []func(Panel) *Training{constantOf, stochasticOf} {
		var testErrors, losses []plotter.XYs
		for _, p := range panels {
			if t := kind(p); t != nil {
				testErrors, losses = append(testErrors, t.Error), append(losses, logarithms(t.Loss))
			}
		}
		styles.errors[i] = []seriesStyle{constantStyle.named("test error, constant"), stochasticStyle.named("test error, stochastic")}[i].of(testErrors...)
		styles.losses[i] = []seriesStyle{constantLossStyle, stochasticLossStyle}[i]
		if slices.ContainsFunc(losses, noisy) {
			styles.losses[i].dashes = nil
		}
		styles.shown[i] = len(testErrors) > 0
	}
	for _, p := range panels {
		if !slices.ContainsFunc(p.trainings(), func(t *Training) bool { return t != nil && len(t.Error) > 0 }) {
			return nil, fmt.Errorf("there is no test error to draw for %s", p.Title)
		}
	}
	l := layout{headline: "Test error and training loss", styles: styles.legend(), provenance: provenance}
	return l.panels(len(panels), 2.7*vg.Inch, func(i int, c draw.Canvas) { panels[i].draw(c, styles) }), nil
}

func constantOf(p Panel) *Training   { return p.Constant }
func stochasticOf(p Panel) *Training { return p.Stochastic }

// trainings are the networks of constant and of stochastic depth; nil where one is missing.
func (p Panel) trainings() []*Training { return []*Training{p.Constant, p.Stochastic} }

// trainingStyles are those of all panels, of constant and of stochastic depth.
type trainingStyles struct {
	errors, losses [2]seriesStyle
	shown          [2]bool
}

// legend are the styles of the curves that some panel has: test errors first.
func (l trainingStyles) legend() []seriesStyle {
	var styles []seriesStyle
	for _, kind := range [][2]seriesStyle{l.errors, l.losses} {
		for i, style := range kind {
			if l.shown[i] {
				styles = append(styles, style)
			}
		}
	}
	return styles
}

// logarithms are a curve as a logarithmic axis shows it.
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
	var list []*Training // those that exist
	var errorStyles, losses []seriesStyle
	for i, t := range p.trainings() {
		if t != nil {
			list, errorStyles, losses = append(list, t), append(errorStyles, styles.errors[i]), append(losses, styles.losses[i])
		}
	}
	setRanges(plt, list)
	lowest, highest := math.Inf(1), math.Inf(-1) // of the losses that a logarithmic axis can show
	for _, t := range list {
		l, h := spread(positive(t.Loss))
		lowest, highest = min(lowest, l), max(highest, h)
	}
	selected := callouts{}
	if lowest <= highest {
		axis := NewLogRightAxis("training loss", lowest, highest)
		for i, t := range list {
			axis.Add(t.Loss, losses[i].line())
		}
		plt.Add(axis)
		selected.others = axis.paths
	}
	for i, t := range list {
		addCurve(plt, errorStyles[i], t.Error)
		above := len(list) == 1 || t.Selected.Y > list[1-i].Selected.Y || t.Selected.Y == list[1-i].Selected.Y && i == 0
		selected.curves = append(selected.curves, t.Error)
		selected.marks = append(selected.marks, callout{t.Selected, fmt.Sprintf("%.*f %%", p.Digits, t.Selected.Y), text(bold(textSize), errorStyles[i].color), above, 5})
	}
	plt.Add(selected)
	plt.Draw(c)
}

// setRanges lets the frame cut the errors of the first epochs, as the paper's does: they would press the rest flat.
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
