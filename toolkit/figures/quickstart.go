package figures

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

// quickstart is what Quickstart draws; of pairs, index 0 is constant depth, 1 stochastic depth.
type quickstart struct {
	outcome.Comparison
	shown  measure // test or validation error
	styles [2]seriesStyle
}

// Quickstart compares runs of a stochastic setting with runs of constant depth, one or more seeds each: the error by
// epoch (each seed a thin line, the mean a bold one, and the error at the epoch of the lowest validation error, which
// counts, ± standard deviation), the training loss and the training time. The headline is computed from the runs,
// whichever way they came out. Where a run has no test error yet it shows validation errors. Runs that cannot be
// compared (see outcome.Compare) or have no evaluated epoch yet are an error.
func Quickstart(provenance Provenance, constant, stochastic []*runs.Run) (*Figure, error) {
	q, err := compareQuickstart(constant, stochastic)
	if err != nil {
		return nil, err
	}
	if n := len(constant) + len(stochastic) - len(q.ConstantRuns) - len(q.StochasticRuns); n > 0 {
		provenance = provenance.With(fmt.Sprintf("Without %d run%s whose seed the other side does not have.", n, say.Plural(n)))
	}
	return q.figure(provenance, q.InSeeds()), nil
}

// QuickstartOwn draws a reader's own pair of runs as Quickstart does, and states below the headline what came of the
// recorded runs of the same two settings, and whether the own pair came out differently. The recorded lists may both be
// empty; if they have another setting, the figure says so. Errors are those of Quickstart.
func QuickstartOwn(constant, stochastic *runs.Run, recordedConstant, recordedStochastic []*runs.Run) (*Figure, error) {
	own := []*runs.Run{constant, stochastic}
	q, err := compareQuickstart(own[:1], own[1:])
	if err != nil {
		return nil, err
	}
	provenance := OfRuns(own)
	provenance.Origin = ""
	if len(recordedConstant)+len(recordedStochastic) == 0 {
		return q.figure(provenance, ""), nil
	}
	recorded, err := outcome.Compare(recordedConstant, recordedStochastic)
	if err != nil {
		return nil, err
	}
	return q.figure(provenance, q.Beside(recorded)), nil
}

func compareQuickstart(constant, stochastic []*runs.Run) (quickstart, error) {
	quantity := outcome.TestError
	q := quickstart{shown: testError, styles: [2]seriesStyle{constantStyle, stochasticStyle}}
	for _, run := range slices.Concat(constant, stochastic) {
		if best, ok := run.Best(); ok && math.IsNaN(best.TestError) {
			q.shown, quantity = validationError, outcome.ValidationError
		}
	}
	var err error
	if q.Comparison, err = outcome.CompareBy(quantity, constant, stochastic); err != nil {
		return q, err
	}
	for _, run := range slices.Concat(q.ConstantRuns, q.StochasticRuns) {
		if _, err := quantity.Selected(run); err != nil { // of a record without its log
			return q, err
		}
	}
	return q, nil
}

// sides returns the runs, and their errors, of constant and of stochastic depth.
func (q quickstart) sides() ([2][]*runs.Run, [2]outcome.Estimate) {
	return [2][]*runs.Run{q.ConstantRuns, q.StochasticRuns}, [2]outcome.Estimate{q.Constant, q.Stochastic}
}

func (q quickstart) figure(provenance Provenance, below string) *Figure {
	var shown, losses [2][]plotter.XYs
	sides, _ := q.sides()
	for i, group := range sides {
		for _, run := range group {
			shown[i] = append(shown[i], q.shown.points(run.Rows))
			losses[i] = append(losses[i], logarithms(trainLoss.points(run.Rows)))
		}
		q.styles[i] = q.styles[i].adapted(drawnCurves(shown[i])...).adapted(drawnCurves(losses[i])...)
	}
	l := layout{headline: q.Headline(), styles: q.styles[:], provenance: provenance.With(q.caption()...)}
	if soFar := q.SoFar(); soFar != "" {
		l.below = append(l.below, "Not trained to the end: "+soFar+".")
	}
	if below != "" {
		l.below = append(l.below, below)
	}
	const high, gap = 2.55 * vg.Inch, 14
	return l.sized(func(width vg.Length) vg.Length {
		if width < narrow {
			return 2*inProportion(high, width) + gap
		}
		return inProportion(high, width)
	}, func(c draw.Canvas) {
		name := strings.ToUpper(q.shown.name[:1]) + q.shown.name[1:] + " (%)"
		spreads := vg.Length(54) // room beside the curves
		if q.Single() {
			spreads = 0
		}
		width := c.Max.X - c.Min.X
		panel := func(c draw.Canvas, left, right vg.Length, name string) draw.Canvas {
			return title(draw.Crop(c, left, right-(c.Max.X-c.Min.X), 0, 0), name)
		}
		if width < narrow { // the errors above the two others
			parts := split(c, 2, gap)
			q.drawErrors(panel(parts[0], 0, width-46-spreads, name))
			area := q.drawLoss(panel(parts[1], 0, width*0.54, "Training loss"))
			q.drawTimes(panel(parts[1], width*0.58, width, "Training time"), area)
			return
		}
		area := q.drawErrors(panel(c, 0, width*244/inside-spreads, name))
		q.drawLoss(panel(c, width*286/inside, width*428/inside, "Training loss"))
		q.drawTimes(panel(c, width*444/inside, width, "Training time"), area)
	})
}

// drawnCurves are the curves of runs in a style of their own: the one run, or the mean of several.
func drawnCurves(curves []plotter.XYs) []plotter.XYs {
	if len(curves) == 1 {
		return curves
	}
	return []plotter.XYs{meanCurve(curves)}
}

// caption says how to read the figure, and how many blocks were saved.
func (q quickstart) caption() []string {
	sentence := fmt.Sprintf("Circles: %s at the epoch of the lowest validation error.", q.shown.name)
	if !q.Single() {
		sentence = fmt.Sprintf("Thin lines: one seed each, with a ring at the epoch of its lowest validation error; "+
			"the %s there is the one reported (mean ± standard deviation). Bold: mean over the seeds.", q.shown.name)
	}
	if !math.IsNaN(q.BlocksSaved) {
		sentence += fmt.Sprintf(" Blocks not computed with stochastic depth: %.0f %%.", 100*q.BlocksSaved)
	}
	return []string{sentence}
}
