package figures

import (
	"image/color"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

func labels(ticks []plot.Tick) []string {
	var list []string
	for _, t := range ticks {
		list = append(list, t.Label)
	}
	return list
}

func TestTicks(t *testing.T) {
	require.Equal(t, []string{"0", "10", "20", "30"}, labels(niceTicks{}.Ticks(0, 34)))
	require.Equal(t, []string{"−0.2", "0", "0.2", "0.4"}, labels(niceTicks{}.Ticks(-0.3, 0.4)))
	require.Equal(t, []string{"0", "1"}, labels(niceTicks{whole: true}.Ticks(0, 1)))
	require.Equal(t, []string{"0.001", "0.01", "0.1", "1"}, labels(logTicks{}.Ticks(0.0005, 3)))
	require.Equal(t, []string{"0.1", "0.2", "0.5", "1", "2"}, labels(logTicks{}.Ticks(0.1, 3)))
	require.Equal(t, []string{"1", "1.2", "1.4", "1.6", "1.8", "2"}, labels(logTicks{}.Ticks(1, 2)))
}

func TestDuration(t *testing.T) {
	for seconds, want := range map[float64]string{
		41.23: "41.2 s", 59.96: "1 min 0 s", 200: "3 min 20 s", 3599.6: "1 h 0 min", 54420: "15 h 7 min",
	} {
		require.Equal(t, want, duration(seconds))
	}
}

func TestSpreadTags(t *testing.T) {
	for name, test := range map[string]struct{ y, want []vg.Length }{
		"far apart stay": {[]vg.Length{10, 50}, []vg.Length{10, 50}},
		"near are moved": {[]vg.Length{10, 12, 13}, []vg.Length{10, 20, 30}},
		"at the foot":    {[]vg.Length{-5, 0}, []vg.Length{0, 10}},
		"at the head":    {[]vg.Length{99, 105}, []vg.Length{90, 100}},
	} {
		t.Run(name, func(t *testing.T) {
			tags := make([]tag, len(test.y))
			for i, y := range test.y {
				tags[i].y = y
			}
			spreadTags(tags, 10, 0, 100)
			for i, want := range test.want {
				require.Equal(t, want, tags[i].y)
			}
		})
	}
}

// The headline is computed, and must not flatter.
func TestHeadline(t *testing.T) {
	for name, test := range map[string]struct {
		errors, seconds [2][]float64 // of the seeds
		images          int
		machine         string // of the constant runs
		want            string
	}{
		"the paper's numbers": {pairOf(6.41, 5.25), pairOf(74520, 54420), 0, "", "Stochastic depth: test error 5.25 % instead of 6.41 %, in 27 % less training time"},
		"worse and slower":    {pairOf(6, 7.06), pairOf(100, 110), 500, "", "Stochastic depth: higher test error, 7.1 % instead of 6.0 %, in 10 % more training time"},
		"equal":               {pairOf(6, 6.001), pairOf(100, 100.1), 0, "", "Stochastic depth: the same test error, 6.00 %, in the same training time"},
		"no times":            {pairOf(6, 5), pairOf(0, 0), 0, "", "Stochastic depth: test error 5.00 % instead of 6.00 %"},
		"two machines":        {pairOf(6, 5), pairOf(100, 50), 0, "another", "Stochastic depth: test error 5.00 % instead of 6.00 %"},
		"three seeds": {[2][]float64{{20, 21, 22}, {15.5, 16, 17.5}}, [2][]float64{{100, 110, 120}, {80, 90, 100}}, 1000, "",
			"Stochastic depth: test error 16.3 ± 1.0 % instead of 21.0 ± 1.0 %, in 18 % less training time"},
		"equal means": {[2][]float64{{20, 22}, {21, 21}}, pairOf(0, 0), 1000, "",
			"Stochastic depth: the same mean test error, 21.0 ± 0.0 % and 21.0 ± 1.4 %"},
	} {
		t.Run(name, func(t *testing.T) {
			var sides [2][]*runs.Run
			for i, testErrors := range test.errors {
				for seed, e := range testErrors {
					run := &runs.Run{Recipe: recipes.Recipe{TestImages: test.images, Seed: int64(seed), DeathRate: float64(i) / 2}, Result: &runs.Result{Machine: "one"}}
					run.Rows = []runs.Row{{TestError: e, Seconds: test.seconds[i][min(seed, len(test.seconds[i])-1)]}}
					if i == 0 && test.machine != "" {
						run.Result.Machine = test.machine
					}
					sides[i] = append(sides[i], run)
				}
			}
			q, err := compareQuickstart(sides[0], sides[1])
			require.NoError(t, err)
			require.Equal(t, test.want, strings.ReplaceAll(q.headline(), "\u00a0", " "))
		})
	}
}

// A stopped run is not finished, whatever its error, and its time is that of other steps.
func TestHeadlineOfAStoppedRun(t *testing.T) {
	made := func(deathRate, testError, epochs float64) []*runs.Run {
		return []*runs.Run{{Recipe: recipes.Recipe{TestImages: 1000, Epochs: 120, DeathRate: deathRate},
			Rows: []runs.Row{{TestError: testError, Epoch: epochs, Step: int64(16 * epochs), Seconds: epochs}}}}
	}
	for epochs, want := range map[float64]string{
		120: "Stochastic depth: higher test error, 44.0 % instead of 38.0 %, in the same training time",
		60:  "Stochastic depth so far: higher test error, 44.0 % instead of 38.0 %",
	} {
		q, err := compareQuickstart(made(0, 38, 120), made(0.5, 44, epochs))
		require.NoError(t, err)
		require.Equal(t, want, strings.ReplaceAll(q.headline(), "\u00a0", " "))
		if epochs == 60 {
			require.Equal(t, "constant depth after 120 of 120 epochs, stochastic depth after 60 of 120 epochs", q.soFar())
			require.ErrorIs(t, q.NoTimeSaved, errSteps)
		}
	}
}

func pairOf(constant, stochastic float64) [2][]float64 {
	return [2][]float64{{constant}, {stochastic}}
}

// What is said below the headline: in how many seeds, and what the recorded runs are to a reader's own pair.
func TestBelowTheHeadline(t *testing.T) {
	made := func(deathRate float64, first int64, testErrors ...float64) []*runs.Run {
		var list []*runs.Run
		for i, e := range testErrors {
			recipe := recipes.Default()
			recipe.Seed, recipe.DeathRate, recipe.TestImages = first+int64(i), deathRate, 1000
			list = append(list, &runs.Run{Name: "run", Recipe: recipe, Rows: []runs.Row{{TestError: e}}})
		}
		return list
	}
	compared := func(constant, stochastic []*runs.Run) quickstart {
		q, err := compareQuickstart(constant, stochastic)
		require.NoError(t, err)
		return q
	}
	constant, stochastic := made(0, 1, 20, 21, 22), made(0.2, 1, 16, 22, 17)
	recorded := compared(constant, stochastic)
	// -4, 1 and -5: mean -8/3, variance 31/3, and 4.303 standard errors of 1.856. -4 and 1: 12.706 of 2.5.
	require.Equal(t, "Lower error in 2 of 3 seeds: paired difference −2.7 points, 95 % interval −10.7 to +5.3 (Student's t).", recorded.inSeeds())
	require.Equal(t, "Lower error in 1 of 2 seeds: paired difference −1.5 points, 95 % interval −33.3 to +30.3 (Student's t).", compared(constant, stochastic[:2]).inSeeds())
	require.Equal(t, "1 run of constant and 2 of stochastic depth, with different seeds: difference −0.5 points.", compared(constant[:1], stochastic[1:]).inSeeds())
	require.Empty(t, compared(constant[:1], stochastic[:1]).inSeeds())

	beside := func(q quickstart) string { return q.besideRecorded(recorded.Comparison) }
	require.Equal(t, "Recorded with 3 other seeds: 18.3 ± 3.2 % instead of 21.0 ± 1.0 %, lower in 2 of 3.", beside(compared(made(0, 7, 20), made(0.2, 7, 16))))
	require.Equal(t, "This seed came out differently from the recorded mean: 18.3 ± 3.2 % instead of 21.0 ± 1.0 % with 3 seeds, including this one, lower in 2 of 3.",
		beside(compared(made(0, 2, 21), made(0.2, 2, 22))))
	other := compared(made(0, 7, 20), made(0.5, 7, 16))
	other.ConstantRuns[0].Recipe.Epochs, other.StochasticRuns[0].Recipe.Epochs = 8, 8
	require.Equal(t, "The recorded runs have another recipe (different epochs and death_rate): they say nothing about this pair.", beside(other))
	untested := compared(made(0, 7, math.NaN()), []*runs.Run{{Recipe: made(0.2, 7, 0)[0].Recipe, Rows: []runs.Row{{TestError: math.NaN(), ValidationError: 0}}}})
	require.Equal(t, "validation error", untested.shown.name)
	require.Equal(t, "Recorded with 3 other seeds: test error 18.3 ± 3.2 % instead of 21.0 ± 1.0 %, lower in 2 of 3.", beside(untested))
}

// A mean has a point where all curves have one: with rarer tests, a seed's own best epoch is no mean.
func TestMeanCurve(t *testing.T) {
	nan := math.NaN()
	curve := func(values ...float64) plotter.XYs {
		var rows []runs.Row
		for i, v := range values {
			rows = append(rows, runs.Row{Epoch: float64(i + 1), TestError: v})
		}
		return testError.points(rows)
	}
	require.Equal(t, plotter.XYs{{X: 2, Y: 15}, {X: 4, Y: 9}}, meanCurve([]plotter.XYs{curve(nan, 10, 7, 8), curve(nan, 20, nan, 10)}))
}

func TestGapHeadline(t *testing.T) {
	for want, differences := range map[string][]float64{
		"Stochastic depth overtakes constant depth between 16 and 32 epochs": {5, 1, -1, -2},
		"Constant depth overtakes stochastic depth between 8 and 16 epochs":  {-5, 1},
		"Stochastic depth is ahead at every length of training":              {-5, -1, -0.1},
		"Stochastic depth is behind at every length of training":             {5, 1},
		"Stochastic depth is not ahead at any length of training":            {5, 0},
		"Stochastic depth is ahead after 8 and 32 epochs, not after 16":      {-5, 1, -1},
		"Stochastic depth is ahead after 16 epochs, not after 8":             {0, -1},
		"Stochastic depth is ahead after 8 epochs":                           {-1},
		"Stochastic depth is behind after 8 epochs":                          {1},
	} {
		var gaps []Gap
		for i, d := range differences {
			gaps = append(gaps, Gap{8 << i, Comparison{Contrast: Contrast{Difference: d, StandardError: 0.6}}})
		}
		require.Equal(t, want, gapHeadline(gaps))
	}
	of := func(difference float64) Gap { // of three seeds, with a standard error of 1
		return Gap{8, Comparison{Contrast: Contrast{Difference: difference, StandardError: 1, Degrees: 2}}}
	}
	gaps := []Gap{of(4.31), of(-4.29), of(-4.31)}
	gaps[2].Epochs = 32
	require.Equal(t, "It leaves out zero (p < 0.05) after 8 and 32 epochs.", clearGaps(gaps))
	require.Equal(t, "No interval leaves out zero (p < 0.05).", clearGaps(gaps[1:2]))
	require.Equal(t, "One seed each: there is no interval.", clearGaps([]Gap{{8, Comparison{Contrast: Contrast{StandardError: math.NaN(), Degrees: math.NaN()}}}}))
}

func TestBestOfARule(t *testing.T) {
	points := []SurvivalError{{Survival: 0.1, Error: Average(7)}, {Survival: 0.5, Error: Average(5, 6)}, {Survival: 0.9, Error: Average(6)}}
	require.Equal(t, 1, best(points))
}

// WCAG asks for 4.5 for text, and 3 for lines.
func TestContrast(t *testing.T) {
	require.InDelta(t, 21, contrastRatio(color.NRGBA{A: 0xff}, color.NRGBA{0xff, 0xff, 0xff, 0xff}), 1e-9)
	for theme, colours := range palettes {
		for _, text := range []role{ink, grey, red, blue} {
			require.GreaterOrEqual(t, contrastRatio(colours[text], colours[paper]), 4.5, "%s, text %d", theme, text)
		}
		for _, line := range []role{green, magenta, amber} {
			require.GreaterOrEqual(t, contrastRatio(colours[line], colours[paper]), 3.0, "%s, line %d", theme, line)
		}
		for _, fill := range []role{red, blue} {
			require.GreaterOrEqual(t, contrastRatio(colours[onFill], colours[fill]), 4.5, "%s, text on %d", theme, fill)
		}
		require.GreaterOrEqual(t, contrastRatio(colours[pale], colours[blue]), 4.5, theme)
		require.GreaterOrEqual(t, contrastRatio(colours[ink], colours[blush]), 4.5, theme)
		for v := 0.0; v <= 1; v += 0.01 {
			require.GreaterOrEqual(t, contrastRatio(shade(v).in(theme), onShade(v).in(theme)), 3.9, "%s, shade %g", theme, v)
		}
	}
}

// A label goes where it covers no line; where a line is all around it, a little further away.
func TestLabelsCoverNoCurve(t *testing.T) {
	area := vg.Rectangle{Max: vg.Point{X: 300, Y: 200}}
	mark := callout{text: "1.80 %", style: text(bold(textSize), red), above: true, radius: 5}
	at := vg.Point{X: 100, Y: 100}
	place, leader := mark.place(at, area, nil, nil)
	require.Nil(t, leader)
	require.InDelta(t, float64(at.Y+9), float64(place.Min.Y), 0.01)

	above := []vg.Point{{X: 0, Y: 112}, {X: 300, Y: 112}} // a line across where the label would be
	place, _ = mark.place(at, area, [][]vg.Point{above}, nil)
	require.True(t, place.Min.Y > 112 || place.Max.Y < 112)

	var comb []vg.Point // dense up to a height of 150
	for x := vg.Length(0); x <= 300; x += 4 {
		comb = append(comb, vg.Point{X: x, Y: 0}, vg.Point{X: x + 2, Y: 150})
	}
	place, leader = mark.place(at, area, [][]vg.Point{comb}, nil)
	require.GreaterOrEqual(t, float64(place.Min.Y), 150.0)
	require.Len(t, leader, 2)
	require.InDelta(t, 5, math.Hypot(float64(leader[0].X-at.X), float64(leader[0].Y-at.Y)), 1e-9, "it begins at the circle")
	require.InDelta(t, float64(place.Min.Y), float64(leader[1].Y), 1e-9, "and ends at the label")

	first, _ := mark.place(at, area, nil, nil)
	second, _ := mark.place(at, area, nil, []vg.Rectangle{first})
	require.True(t, second.Min.X >= first.Max.X || second.Max.X <= first.Min.X || second.Min.Y >= first.Max.Y || second.Max.Y <= first.Min.Y)
}

func TestCrossings(t *testing.T) {
	leader := []vg.Point{{X: 0, Y: 0}, {X: 10, Y: 10}}
	require.Equal(t, 2, crossings(leader, []vg.Point{{X: 0, Y: 5}, {X: 9, Y: 5}, {X: 9, Y: 7}, {X: 0, Y: 7}}))
	require.Zero(t, crossings(leader, []vg.Point{{X: 20, Y: 0}, {X: 12, Y: 20}}))
	require.Zero(t, crossings(nil, leader))
}

// Dashes break up a noisy curve and are for smooth or sparse ones.
func TestDashesAreOfSmoothCurves(t *testing.T) {
	var smooth, rough plotter.XYs
	for i := range 100 {
		x := float64(i)
		smooth = append(smooth, plotter.XY{X: x, Y: math.Exp(-x / 30)})
		rough = append(rough, plotter.XY{X: x, Y: math.Exp(-x/30) + 0.2*math.Sin(2*x)})
	}
	require.NotEmpty(t, stochasticStyle.of(smooth).dashes)
	require.Empty(t, stochasticStyle.of(rough).dashes)
	require.NotEmpty(t, stochasticStyle.of(rough[:20]).dashes)
	require.Empty(t, stochasticStyle.of(smooth, rough).dashes)
	require.Len(t, stochasticStyle.marked(rough), fewMarkers)
	require.NotEqual(t, constantStyle.marked(rough)[0], stochasticStyle.marked(rough)[0], "markers do not hide each other")
	require.Len(t, stochasticStyle.marked(rough[:20]), 20)
}
