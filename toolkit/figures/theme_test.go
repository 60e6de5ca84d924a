package figures

import (
	"image/color"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"stochdepth/toolkit/outcome"
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

// Where a run has no test error yet, validation errors are shown.
func TestUntestedRuns(t *testing.T) {
	made := func(deathRate, testError float64) []*runs.Run {
		recipe := recipes.Default()
		recipe.DeathRate = deathRate
		return []*runs.Run{{Name: "run", Recipe: recipe, Rows: []runs.Row{{TestError: testError, ValidationError: 7}}}}
	}
	q, err := compareQuickstart(made(0, 20), made(0.2, math.NaN()))
	require.NoError(t, err)
	require.Equal(t, []string{"validation error", "validation error"}, []string{q.shown.name, q.Quantity.Name})
	require.Equal(t, 7.0, q.Constant.Mean)
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
	require.Equal(t, plotter.XYs{{X: 2, Y: 15}, {X: 4, Y: 9}},
		meanCurve([]plotter.XYs{curve(nan, 10, 7, 8), curve(nan, 20, nan, 10)}))
}

func TestBestOfARule(t *testing.T) {
	points := []outcome.SurvivalError{{Survival: 0.1, Error: outcome.Average(7)}, {Survival: 0.5, Error: outcome.Average(5, 6)},
		{Survival: 0.9, Error: outcome.Average(6)}}
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
			l := newLook(theme, OwnStyle{})
			require.GreaterOrEqual(t, contrastRatio(shade(v).in(l), onShade(v).in(l)), 3.9, "%s, shade %g", theme, v)
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
	require.True(t, second.Min.X >= first.Max.X || second.Max.X <= first.Min.X || second.Min.Y >= first.Max.Y ||
		second.Max.Y <= first.Min.Y)
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
	require.NotEmpty(t, stochasticStyle.adapted(smooth).dashes)
	require.Empty(t, stochasticStyle.adapted(rough).dashes)
	require.NotEmpty(t, stochasticStyle.adapted(rough[:20]).dashes)
	require.Empty(t, stochasticStyle.adapted(smooth, rough).dashes)
	require.Len(t, stochasticStyle.marked(rough), fewMarkers)
	require.NotEqual(t, constantStyle.marked(rough)[0], stochasticStyle.marked(rough)[0], "markers do not hide each other")
	require.Len(t, stochasticStyle.marked(rough[:20]), 20)
}
