package figures

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

// ErrorCurve is the error in percent by epoch at constant depth or of one stochastic setting, a curve for each seed, and the
// errors that are printed for some of the epochs.
type ErrorCurve struct {
	Name     string
	Result   string // in the legend, after the name; "": nothing
	Constant bool   // depth
	Seeds    []plotter.XYs
	Printed  plotter.XYs
}

// ErrorCurvesOf takes the test errors of runs by epoch, as often as the recipe asks for them: a curve for each setting,
// constant depth first. Its result is the mean of the errors after the last epoch, and the number of seeds. from is the first
// epoch after the last drop of the learning rate, or 0. Runs that differ in more than how blocks close and the seed are errors,
// and so are two runs of a setting with one seed.
func ErrorCurvesOf(list []*runs.Run) (curves []ErrorCurve, from float64, err error) {
	groups, err := outcome.SettingsOf(list)
	if err != nil {
		return nil, 0, err
	}
	for _, group := range groups {
		final, err := outcome.MeanOf(outcome.FinalTestError, group)
		if err != nil {
			return nil, 0, err
		}
		recipe := group[0].Recipe
		curve := ErrorCurve{Name: constantStyle.name, Constant: recipe.IsConstant()}
		if !curve.Constant {
			curve.Name = outcome.Closing(recipe)
		}
		curve.Result = fmt.Sprintf("%s (n = %d)", final.Percent(outcome.Digits(recipe)), final.N)
		for _, run := range group {
			curve.Seeds = append(curve.Seeds, testError.points(testedRows(run)))
		}
		curves = append(curves, curve)
		if drops := recipe.RateDrops(); len(drops) > 0 { // the same ones in all groups
			from = float64(drops[len(drops)-1] + 1)
		}
	}
	return curves, from, nil
}

// testedRows are the rows at which the recipe asks for the test error. The selected epoch's, which is made afterwards where it
// is missing, is not the error of an epoch like others.
func testedRows(run *runs.Run) (rows []runs.Row) {
	every := max(1, run.Recipe.TestEvery)
	for i, row := range run.Rows {
		if (i+1)%every == 0 || i == len(run.Rows)-1 {
			rows = append(rows, row)
		}
	}
	return rows
}

// stochasticStyles tell stochastic settings apart.
var stochasticStyles = [...]seriesStyle{stochasticStyle, uniformStyle,
	{color: amber, glyph: draw.RingGlyph{}, dashes: []vg.Length{7, 1.5, 1.5, 1.5}, phase: 0.05},
	{color: magenta, glyph: draw.SquareGlyph{}, dashes: []vg.Length{1.5, 1.5}, phase: 0.65},
}

// ErrorCurves draws Fig. 6: the error by epoch of one setting or several, and beside it the end of the training from an epoch
// on, enlarged, with a circle at each printed error. Of several seeds the mean is drawn, and each is a fine line behind it.
// The end is left out where from is 0, or where a curve has no two points there.
func ErrorCurves(provenance Provenance, name string, from float64, curves ...ErrorCurve) (*Figure, error) {
	styles, err := stylesOfCurves(curves)
	if err != nil {
		return nil, err
	}
	whole, ends, panels := slices.Clone(curves), slices.Clone(curves), 2
	for i := range curves {
		whole[i].Printed = nil
		ends[i].Seeds = ends[i].from(from)
		if from <= 0 || slices.ContainsFunc(ends[i].Seeds, func(end plotter.XYs) bool { return len(end) < 2 }) {
			panels = 1
		}
	}
	if slices.ContainsFunc(curves, func(c ErrorCurve) bool { return len(c.Seeds) > 1 }) {
		provenance = provenance.With("Fine lines: each seed; bold: their mean.")
	}
	l := layout{headline: name + " by epoch", styles: styles, provenance: provenance}
	return l.panels(panels, 2.5*vg.Inch, func(panel int, c draw.Canvas) {
		if panel == 0 {
			drawErrorCurves(title(c, name+" (%)"), styles, whole, 0)
		} else {
			drawErrorCurves(title(c, fmt.Sprintf("From epoch %g on, enlarged (%%)", from)), styles, ends, from)
		}
	}), nil
}

// stylesOfCurves returns the style of each curve, with its name. Curves without points and too many of them are errors.
func stylesOfCurves(curves []ErrorCurve) (styles []seriesStyle, err error) {
	stochastic := 0
	for _, curve := range curves {
		style := constantStyle
		if !curve.Constant {
			if stochastic == len(stochasticStyles) {
				return nil, fmt.Errorf("more than %d stochastic settings cannot be told apart: name runs of fewer", stochastic)
			}
			style = stochasticStyles[stochastic]
			stochastic++
		}
		if len(curve.Seeds) == 0 || slices.ContainsFunc(curve.Seeds, func(points plotter.XYs) bool { return len(points) == 0 }) {
			return nil, fmt.Errorf("the curve %q has no error to draw: name runs with test errors", curve.Name)
		}
		style = style.named(curve.Name)
		if curve.Result != "" {
			style = style.saying(curve.Name + ": " + curve.Result)
		}
		styles = append(styles, style.adapted(drawnCurves(curve.Seeds)...))
	}
	if len(styles) == 0 {
		return nil, errors.New("there is no error to draw: name runs with test errors")
	}
	return styles, nil
}

// from is the part of each seed's curve from an epoch on.
func (c ErrorCurve) from(epoch float64) (ends []plotter.XYs) {
	for _, points := range c.Seeds {
		ends = append(ends, slices.DeleteFunc(slices.Clone(points), func(xy plotter.XY) bool { return xy.X < epoch }))
	}
	return ends
}

// drawErrorCurves draws curves from an epoch on, with circles at the printed errors.
func drawErrorCurves(c draw.Canvas, styles []seriesStyle, curves []ErrorCurve, from float64) {
	p := newPlot()
	p.X.Label.Text, p.X.Tick.Marker = "epoch", niceTicks{whole: true}
	low, high, last := math.Inf(1), math.Inf(-1), 0.0
	var circles callouts
	for i, curve := range curves {
		l, h := spread(curve.Seeds...)
		low, high = min(low, l), max(high, h)
		for _, points := range curve.Seeds {
			last = max(last, points[len(points)-1].X)
		}
		addSeeds(p, styles[i], curve.Seeds)
		circles.curves = append(circles.curves, drawnCurves(curve.Seeds)...)
		for j, xy := range curve.Printed {
			lower := func(other ErrorCurve) bool { return j < len(other.Printed) && xy.Y < other.Printed[j].Y }
			circles.marks = append(circles.marks, callout{xy, fmt.Sprintf("%.2f %%", xy.Y), text(bold(textSize), styles[i].hue()),
				!slices.ContainsFunc(curves, lower), 4})
		}
	}
	for i, points := range circles.curves { // in front of the seeds of all settings
		style := styles[i]
		if len(curves[i].Seeds) > 1 {
			style = style.of("mean")
		}
		addCurve(p, style, points)
	}
	room := 0.05 // above and below, as a part of the range
	if len(circles.marks) > 0 {
		room = 0.25 // for the labels
	}
	p.Y.Min, p.Y.Max = low-(high-low)*room, high+(high-low)*room
	p.X.Min, p.X.Max = from, last+(last-from)*0.02 // for a circle at the last epoch
	if from == 0 {
		frame(c, p)
	}
	p.Add(circles)
	p.Draw(c)
}
