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
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// quickstart is what Quickstart draws; of pairs, index 0 is constant depth, 1 stochastic depth.
type quickstart struct {
	Comparison
	shown  measure // test or validation error
	styles [2]seriesStyle
}

// Quickstart compares runs of a stochastic setting with runs of constant depth, one or more seeds each: the error by
// epoch (each seed a thin line, the mean a bold one, and the error at the epoch of the lowest validation error, which
// counts, ± standard deviation), the training loss and the training time. The headline is computed from the runs,
// whichever way they came out. Where a run has no test error yet it shows validation errors. Runs that cannot be
// compared (see Compare) or have no evaluated epoch yet are an error.
func Quickstart(provenance Provenance, constant, stochastic []*runs.Run) (*Figure, error) {
	q, err := compareQuickstart(constant, stochastic)
	if err != nil {
		return nil, err
	}
	if n := len(constant) + len(stochastic) - len(q.ConstantRuns) - len(q.StochasticRuns); n > 0 {
		provenance = provenance.With(fmt.Sprintf("Without %d run%s whose seed the other side does not have.", n, say.Plural(n)))
	}
	return q.figure(provenance, q.inSeeds()), nil
}

// QuickstartOwn draws a reader's own pair of runs as Quickstart does, and states below the headline what came of the
// recorded runs of the same two settings, and whether the own pair came out otherwise. The recorded lists may both be
// empty; those of another setting are named as such. Errors are those of Quickstart.
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
	recorded, err := Compare(recordedConstant, recordedStochastic)
	if err != nil {
		return nil, err
	}
	return q.figure(provenance, q.besideRecorded(recorded)), nil
}

func compareQuickstart(constant, stochastic []*runs.Run) (quickstart, error) {
	q := quickstart{shown: testError, styles: [2]seriesStyle{constantStyle, stochasticStyle}}
	for _, run := range slices.Concat(constant, stochastic) {
		if best, ok := run.Best(); ok && math.IsNaN(best.TestError) {
			q.shown = validationError
		}
	}
	var err error
	q.Comparison, err = compareBy(q.shown, constant, stochastic)
	return q, err
}

// sides are the runs, and their errors, of constant and of stochastic depth.
func (q quickstart) sides() ([2][]*runs.Run, [2]Estimate) {
	return [2][]*runs.Run{q.ConstantRuns, q.StochasticRuns}, [2]Estimate{q.Constant, q.Stochastic}
}

// single reports whether there is one run each: it is drawn with circles instead of a mean.
func (q quickstart) single() bool { return len(q.ConstantRuns) == 1 && len(q.StochasticRuns) == 1 }

func (q quickstart) figure(provenance Provenance, below string) *Figure {
	var shown, losses [2][]plotter.XYs
	sides, _ := q.sides()
	for i, group := range sides {
		for _, run := range group {
			shown[i] = append(shown[i], q.shown.points(run.Rows))
			losses[i] = append(losses[i], logarithms(trainLoss.points(run.Rows)))
		}
		q.styles[i] = q.styles[i].of(drawnCurves(shown[i])...).of(drawnCurves(losses[i])...)
	}
	l := layout{headline: q.headline(), styles: q.styles[:], provenance: provenance.With(q.caption()...)}
	if soFar := q.soFar(); soFar != "" {
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
		if q.single() {
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

// headline says what came out, in numbers.
func (q quickstart) headline() string {
	digits := digitsOf(q.ConstantRuns[0].Recipe)
	constant, stochastic := percent(q.Constant, digits), percent(q.Stochastic, digits)
	s := "Stochastic depth: "
	if q.soFar() != "" {
		s = "Stochastic depth so far: "
	}
	switch rounded := func(e Estimate) string { return fmt.Sprintf("%.*f", digits, e.Mean) }; {
	case constant == stochastic:
		s += fmt.Sprintf("the same %s, %s", q.shown.name, constant)
	case rounded(q.Constant) == rounded(q.Stochastic):
		s += fmt.Sprintf("the same mean %s, %s and %s", q.shown.name, stochastic, constant)
	case q.Difference > 0:
		s += fmt.Sprintf("higher %s, %s instead of %s", q.shown.name, stochastic, constant)
	default:
		s += fmt.Sprintf("%s %s instead of %s", q.shown.name, stochastic, constant)
	}
	if math.IsNaN(q.TimeSaved) {
		return s
	}
	time := "in the same training time"
	switch percent := math.Round(q.TimeSaved * 100); {
	case percent > 0:
		time = fmt.Sprintf("in %.0f %% less training time", percent)
	case percent < 0:
		time = fmt.Sprintf("in %.0f %% more training time", -percent)
	}
	return s + ", " + strings.ReplaceAll(time, " ", "\u00a0") // a line break is before it, if anywhere
}

// percent is an error with its spread, if it has one: "16.1 ± 0.7 %".
func percent(e Estimate, digits int) string {
	if e.N > 1 {
		return fmt.Sprintf("%.*f ± %.*f %%", digits, e.Mean, digits, e.Deviation)
	}
	return fmt.Sprintf("%.*f %%", digits, e.Mean)
}

// inSeeds says in how many seeds stochastic depth is ahead, and by how much; nothing of one run each.
func (q quickstart) inSeeds() string {
	if q.single() {
		return ""
	}
	a, b := len(q.ConstantRuns), len(q.StochasticRuns)
	s := fmt.Sprintf("%d run%s of constant and %d of stochastic depth, with different seeds: difference", a, say.Plural(a), b)
	if q.Pairs > 0 {
		s = fmt.Sprintf("Lower error in %d of %d seeds: paired difference", q.Wins, q.Pairs)
	}
	digits := digitsOf(q.ConstantRuns[0].Recipe)
	s += " " + signed(q.Difference, digits) + " points"
	if low, high := q.Interval(); !math.IsNaN(low) {
		s += fmt.Sprintf(", 95 %% interval %s to %s (Student's t)", signed(low, digits), signed(high, digits))
	}
	return s + "."
}

// besideRecorded says what the recorded runs are to the one pair that is drawn.
func (q quickstart) besideRecorded(recorded Comparison) string {
	var differences []string
	own, _ := q.sides()
	for i, group := range [][]*runs.Run{recorded.ConstantRuns, recorded.StochasticRuns} {
		for _, d := range recipes.Differences(own[i][0].Recipe.Canonical(), group[0].Recipe.Canonical()) {
			if key, _, _ := strings.Cut(d, ":"); key != "seed" && !slices.Contains(differences, key) {
				differences = append(differences, key)
			}
		}
	}
	if len(differences) > 0 {
		return fmt.Sprintf("The recorded runs have another recipe (different %s): they say nothing about this pair.", many(differences))
	}
	seeds := fmt.Sprintf("%d other seed%s", recorded.N, say.Plural(recorded.N))
	among := func(r *runs.Run) bool {
		return r.Recipe.Seed == own[0][0].Recipe.Seed || r.Recipe.Seed == own[1][0].Recipe.Seed
	}
	if slices.ContainsFunc(slices.Concat(recorded.ConstantRuns, recorded.StochasticRuns), among) {
		seeds = fmt.Sprintf("%d seed%s, including this one", recorded.N, say.Plural(recorded.N))
	}
	digits := digitsOf(recorded.ConstantRuns[0].Recipe)
	came := fmt.Sprintf("%s instead of %s", percent(recorded.Stochastic, digits), percent(recorded.Constant, digits))
	if q.shown.name != testError.name {
		came = "test error " + came
	}
	wins := "."
	if recorded.Pairs > 0 {
		wins = fmt.Sprintf(", lower in %d of %d.", recorded.Wins, recorded.Pairs)
	}
	if recorded.Difference*q.Difference < 0 {
		return fmt.Sprintf("This seed came out differently from the recorded mean: %s with %s%s", came, seeds, wins)
	}
	return fmt.Sprintf("Recorded with %s: %s%s", seeds, came, wins)
}

// caption says how to read the figure, and how many blocks were saved.
func (q quickstart) caption() []string {
	sentence := fmt.Sprintf("Circles: %s at the epoch of the lowest validation error.", q.shown.name)
	if !q.single() {
		sentence = fmt.Sprintf("Thin lines: one seed each, with a ring at the epoch of its lowest validation error; the %s there is the one reported (mean ± standard deviation). Bold: mean over the seeds.", q.shown.name)
	}
	if !math.IsNaN(q.BlocksSaved) {
		sentence += fmt.Sprintf(" Blocks not computed with stochastic depth: %.0f %%.", 100*q.BlocksSaved)
	}
	return []string{sentence}
}
