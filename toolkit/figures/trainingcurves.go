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

// Looks of the training losses; the paper's are magenta and green too.
var (
	constantLossLook   = look{"training loss, constant", magenta, nil, []vg.Length{1.5, 1.5}}
	stochasticLossLook = look{"training loss, stochastic", green, nil, []vg.Length{7, 1.5, 1.5, 1.5}}
)

// TrainingCurves draws one or two panels like those of Fig. 3 and 4: the test error (left axis, linear) and the training
// loss (right axis, logarithmic) over the epochs, with a circle at the selected epoch and its error beside it.
func TrainingCurves(about About, panels ...Panel) (*Figure, error) {
	if len(panels) < 1 || len(panels) > 2 {
		return nil, fmt.Errorf("a figure of %d panels cannot be read: draw one or two", len(panels))
	}
	for _, p := range panels {
		if len(p.points()) == 0 {
			return nil, fmt.Errorf("there is no test error to draw for %s", p.Title)
		}
	}
	s := sheet{headline: "Test error and training loss", looks: looksOfPanels(panels), about: about}
	return s.figure(2.7*vg.Inch, func(c draw.Canvas) {
		width, gap := (c.Max.X-c.Min.X)/vg.Length(len(panels)), vg.Length(14)
		for i, p := range panels {
			left, right := width*vg.Length(i), width*vg.Length(i+1)-width*vg.Length(len(panels))
			if i > 0 {
				left += gap / 2
			}
			if i < len(panels)-1 {
				right -= gap / 2
			}
			p.draw(draw.Crop(c, left, right, 0, 0))
		}
	}), nil
}

// looksOfPanels are those of the curves that some panel has: test errors first.
func looksOfPanels(panels []Panel) []look {
	var errors, losses []look
	if slices.ContainsFunc(panels, func(p Panel) bool { return p.Constant != nil }) {
		errors, losses = append(errors, constantLook.named("test error, constant")), append(losses, constantLossLook)
	}
	if slices.ContainsFunc(panels, func(p Panel) bool { return p.Stochastic != nil }) {
		errors, losses = append(errors, stochasticLook.named("test error, stochastic")), append(losses, stochasticLossLook)
	}
	return append(errors, losses...)
}

// trainings are the panel's networks with their looks, those that exist.
func (p Panel) trainings() (list []*Training, errors, losses []look) {
	if p.Constant != nil {
		list, errors, losses = append(list, p.Constant), append(errors, constantLook), append(losses, constantLossLook)
	}
	if p.Stochastic != nil {
		list, errors, losses = append(list, p.Stochastic), append(errors, stochasticLook), append(losses, stochasticLossLook)
	}
	return list, errors, losses
}

// points are the error curves that have points.
func (p Panel) points() []plotter.XYs {
	var curves []plotter.XYs
	list, _, _ := p.trainings()
	for _, t := range list {
		if len(t.Error) > 0 {
			curves = append(curves, t.Error)
		}
	}
	return curves
}

func (p Panel) draw(c draw.Canvas) {
	c = title(c, p.Title)
	list, errors, losses := p.trainings()
	c.FillText(text(sans(smallSize), grey), vg.Point{X: c.Min.X, Y: c.Max.Y - 8}, "test error (%)")
	c = draw.Crop(c, 0, 0, 0, -14)

	plt := newPlot()
	plt.X.Label.Text = "epoch"
	setRanges(plt, list)
	lowest, highest := math.Inf(1), math.Inf(-1) // of the losses that a logarithmic axis can show
	for _, t := range list {
		l, h := spread(positive(t.Loss))
		lowest, highest = min(lowest, l), max(highest, h)
	}
	if lowest <= highest {
		axis := NewLogRightAxis("training loss", lowest, highest)
		for i, t := range list {
			style := losses[i].line()
			style.Width = 0.9
			axis.Add(t.Loss, style)
		}
		plt.Add(axis)
	}
	for i, t := range list {
		addCurve(plt, errors[i], t.Error)
	}
	plt.Draw(c)
	p.mark(c, plt, list, errors)
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

// mark circles the selected epochs: the higher error is written above its circle, the lower one below.
func (p Panel) mark(c draw.Canvas, plt *plot.Plot, list []*Training, looks []look) {
	area := plt.DataCanvas(c)
	toX, toY := plt.Transforms(&area)
	for i, t := range list {
		at := vg.Point{X: toX(t.Selected.X), Y: toY(t.Selected.Y)}
		above := len(list) == 1 || t.Selected.Y > list[1-i].Selected.Y || t.Selected.Y == list[1-i].Selected.Y && i == 0
		circle(c, area, at, text(bold(textSize), looks[i].color), fmt.Sprintf("%.*f %%", p.Digits, t.Selected.Y), above)
	}
}
