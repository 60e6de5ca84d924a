package figures

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Gap is the comparison of constant and stochastic depth after one length of training.
type Gap struct {
	Epochs int
	Comparison
}

// GapsOf compares runs of one stochastic setting with runs of constant depth for each length of training, in ascending
// order. The runs must differ in epochs, seed and how blocks close only (and in how often they are evaluated, from one
// length to another). A second stochastic setting, and a run without its partner of the same seed and length, are errors.
func GapsOf(list []*runs.Run) ([]Gap, error) {
	if err := sameSettings(list, "epochs", "seed", "evaluate_every", "test_every"); err != nil {
		return nil, err
	}
	var lengths []int
	var first *runs.Run // of the stochastic ones
	for _, run := range list {
		if !slices.Contains(lengths, run.Recipe.Epochs) {
			lengths = append(lengths, run.Recipe.Epochs)
		}
		if run.Recipe.IsConstant() {
			continue
		}
		if first == nil {
			first = run
		}
		recipe := run.Recipe
		recipe.Epochs, recipe.EvaluateEvery, recipe.TestEvery = first.Recipe.Epochs, first.Recipe.EvaluateEvery, first.Recipe.TestEvery
		if !recipes.SameSetting(first.Recipe, recipe) {
			return nil, fmt.Errorf("the runs %s and %s are of two stochastic settings: name those of one", first.Name, run.Name)
		}
	}
	slices.Sort(lengths)
	var gaps []Gap
	for _, epochs := range lengths {
		var sides [2][]*runs.Run
		for _, run := range list {
			if run.Recipe.Epochs != epochs {
				continue
			}
			i := 1
			if run.Recipe.IsConstant() {
				i = 0
			}
			sides[i] = append(sides[i], run)
		}
		if err := partners(sides); err != nil {
			return nil, err
		}
		c, err := Compare(sides[0], sides[1])
		if err != nil {
			return nil, err
		}
		gaps = append(gaps, Gap{epochs, c})
	}
	return gaps, nil
}

// partners returns an error that names the first run to which the other side has none of the same seed.
func partners(sides [2][]*runs.Run) error {
	for i, side := range sides {
		for _, run := range side {
			if ofSeed(sides[1-i], run.Recipe.Seed) < 0 {
				return fmt.Errorf("the run %s has no partner of %s depth with seed %d and %d epochs to be compared with",
					run.Name, []string{"stochastic", "constant"}[i], run.Recipe.Seed, run.Recipe.Epochs)
			}
		}
	}
	return nil
}

// GapByEpochs draws what stochastic depth gains or loses by the length of training: on the left the difference of the
// test errors, stochastic minus constant depth, with its confidence interval; on the right the two errors with their
// standard deviations. The headline is computed from the gaps, which must be in ascending order of epochs.
func GapByEpochs(provenance Provenance, gaps ...Gap) (*Figure, error) {
	if len(gaps) == 0 {
		return nil, fmt.Errorf("there is no length of training to draw")
	}
	l := layout{headline: gapHeadline(gaps), styles: []seriesStyle{constantStyle, stochasticStyle},
		provenance: provenance.With("Left: mean difference over seeds; bars: its 95 % confidence interval by Student's t.", clearGaps(gaps),
			"Right: mean test error at the epoch of the lowest validation error; bars: ± standard deviation.")}
	return l.panels(2, 2.7*vg.Inch, func(i int, c draw.Canvas) {
		if i == 0 {
			drawGaps(title(c, "Stochastic minus constant depth (points)"), gaps)
		} else {
			drawGapErrors(title(c, "Test error (%)"), gaps)
		}
	}), nil
}

// gapHeadline says from which length on stochastic depth is ahead, by the mean differences.
func gapHeadline(gaps []Gap) string {
	var ahead, others []string
	turns, turn := 0, 0 // changes of the sign, and the gap before the last one
	for i, g := range gaps {
		if g.Difference < 0 {
			ahead = append(ahead, fmt.Sprint(g.Epochs))
		} else {
			others = append(others, fmt.Sprint(g.Epochs))
		}
		if i > 0 && (gaps[i-1].Difference < 0) != (g.Difference < 0) {
			turns, turn = turns+1, i-1
		}
	}
	level := slices.ContainsFunc(gaps, func(g Gap) bool { return g.Difference == 0 })
	switch {
	case len(gaps) == 1 && len(ahead) == 1:
		return fmt.Sprintf("Stochastic depth is ahead after %d epochs", gaps[0].Epochs)
	case len(gaps) == 1 && !level:
		return fmt.Sprintf("Stochastic depth is behind after %d epochs", gaps[0].Epochs)
	case turns == 0 && len(ahead) > 0:
		return "Stochastic depth is ahead at every length of training"
	case turns == 0 && !level:
		return "Stochastic depth is behind at every length of training"
	case turns == 1 && !level && len(ahead) > 0 && gaps[0].Difference > 0:
		return fmt.Sprintf("Stochastic depth overtakes constant depth between %d and %d epochs", gaps[turn].Epochs, gaps[turn+1].Epochs)
	case turns == 1 && !level:
		return fmt.Sprintf("Constant depth overtakes stochastic depth between %d and %d epochs", gaps[turn].Epochs, gaps[turn+1].Epochs)
	case len(ahead) == 0:
		return "Stochastic depth is not ahead at any length of training"
	}
	return fmt.Sprintf("Stochastic depth is ahead after %s epochs, not after %s", say.Enumerate(ahead), say.Enumerate(others))
}

// clearGaps says which differences are clear: the confidence interval leaves out zero.
func clearGaps(gaps []Gap) string {
	var clear []string
	known := false
	for _, g := range gaps {
		known = known || !math.IsNaN(g.Margin())
		if math.Abs(g.Difference) > g.Margin() {
			clear = append(clear, fmt.Sprint(g.Epochs))
		}
	}
	switch {
	case !known:
		return "One seed each: there is no interval."
	case len(clear) == 0:
		return "No interval leaves out zero (p < 0.05)."
	}
	return fmt.Sprintf("It leaves out zero (p < 0.05) after %s epochs.", say.Enumerate(clear))
}

// setLengths gives a plot a logarithmic axis of epochs with the lengths as ticks.
func setLengths(p *plot.Plot, gaps []Gap) {
	p.X.Label.Text = "epochs of training"
	p.X.Scale = plot.LogScale{}
	var ticks plotter.XYs
	for _, g := range gaps {
		ticks = append(ticks, plotter.XY{X: float64(g.Epochs)})
	}
	p.X.Tick.Marker = atPoints(ticks)
	p.X.Min, p.X.Max = float64(gaps[0].Epochs)/1.4, float64(gaps[len(gaps)-1].Epochs)*1.4
}

// drawGaps draws the differences, over two halves that say which side is better.
func drawGaps(c draw.Canvas, gaps []Gap) {
	p := newPlot()
	setLengths(p, gaps)
	low, high := 0.0, 0.0
	var points plotter.XYs
	var spreads bars
	for _, g := range gaps {
		e := g.bar()
		points = append(points, plotter.XY{X: float64(g.Epochs), Y: g.Difference})
		spreads.add(float64(g.Epochs), g.Difference, e, e)
		low, high = min(low, g.Difference-e), max(high, g.Difference+e)
	}
	room := max(high-low, 0.5) * 0.28 // for the names of the sides, and labels of points
	p.Y.Min, p.Y.Max = low-room, high+room
	p.Add(halves{}, newGrid(), sides{}) // the halves cover the grid of the plot
	addCurve(p, seriesStyle{name: "difference", color: ink, glyph: draw.CircleGlyph{}}, points)
	addErrorBars(p, ink, spreads)
	p.Add(gapLabels(gaps))
	p.Draw(c)
}

// bar is half the height of the error bar of a gap; one seed has none.
func (g Gap) bar() float64 {
	if e := g.Margin(); !math.IsNaN(e) {
		return e
	}
	return 0
}

// halves is a plotter of the grounds above and below zero.
type halves struct{}

// Plot draws the grounds: it implements plot.Plotter.
func (halves) Plot(c draw.Canvas, p *plot.Plot) {
	_, toY := p.Transforms(&c)
	box(c, c.Min.X, toY(0), c.Max.X, c.Max.Y, blush, nil, nil)
	box(c, c.Min.X, c.Min.Y, c.Max.X, toY(0), pale, nil, nil)
}

// sides is a plotter of the line at zero, and of the names of what is better above and below it.
type sides struct{}

// Plot draws the line and the names: it implements plot.Plotter.
func (sides) Plot(c draw.Canvas, p *plot.Plot) {
	_, toY := p.Transforms(&c)
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.9}, c.Min.X, toY(0), c.Max.X, toY(0))
	side := func(y vg.Length, style seriesStyle, words string) {
		sty := text(bold(smallSize), style.color)
		sty.XAlign, sty.YAlign = draw.XRight, draw.YCenter
		c.FillText(fit(sty, words, c.Max.X-c.Min.X-8), vg.Point{X: c.Max.X - 4, Y: y}, words)
	}
	side(c.Max.Y-7, constantStyle, "above zero: constant depth is better")
	side(c.Min.Y+7, stochasticStyle, "below zero: stochastic depth is better")
}

// gapLabels is a plotter of the differences in numbers, on the far side of zero.
type gapLabels []Gap

// Plot writes the numbers: it implements plot.Plotter.
func (g gapLabels) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	label := centered(fit(text(bold(smallSize), ink), "−10.00", (c.Max.X-c.Min.X)/vg.Length(len(g))-2))
	for _, gap := range g {
		e := gap.bar()
		y := toY(gap.Difference+e) + 8
		if gap.Difference < 0 {
			y = toY(gap.Difference-e) - 8
		}
		c.FillText(label, vg.Point{X: toX(float64(gap.Epochs)), Y: y}, signed(gap.Difference, digitsOf(gap.ConstantRuns[0].Recipe)))
	}
}

// drawGapErrors draws the errors of both kinds.
func drawGapErrors(c draw.Canvas, gaps []Gap) {
	p := newPlot()
	setLengths(p, gaps)
	high := 0.0
	var curves [2]plotter.XYs
	var spreads [2]bars
	for _, g := range gaps {
		for i, e := range []Estimate{g.Constant, g.Stochastic} {
			epochs := float64(g.Epochs)
			curves[i] = append(curves[i], plotter.XY{X: epochs, Y: e.Mean})
			aside := 1 + 0.02*float64(2*i-1) // side by side where they overlap
			spreads[i].add(epochs*aside, e.Mean, min(e.Mean, e.Deviation), e.Deviation)
			high = max(high, e.Mean+e.Deviation)
		}
	}
	p.Y.Min, p.Y.Max = 0, max(high*1.05, 1)
	for i, s := range []seriesStyle{constantStyle, stochasticStyle} {
		addCurve(p, s, curves[i])
		addErrorBars(p, s.color, spreads[i])
	}
	p.Draw(c)
}
