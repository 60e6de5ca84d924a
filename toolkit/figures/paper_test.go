package figures_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/cmpimg"
	"gonum.org/v1/plot/plotter"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

func TestPaperFiguresLookAsBefore(t *testing.T) {
	for file, example := range map[string]func(){
		"block.png": ExampleBlock, "rules.png": ExampleSurvivalRules,
		"training-curves.png": ExampleTrainingCurves, "training-curves-500.png": ExamplePanelsOf,
		"right-axis.png": ExampleRightAxis, "depth-bars.png": ExampleDepthBars, "error-curves.png": ExampleErrorCurves,
		"error-curves-of-seeds.png": ExampleErrorCurvesOf, "calibration.png": ExampleCalibration, "column.png": ExampleFigure_In,
		"gradients.png": ExampleGradients, "survival-sweep.png": ExampleSurvivalSweep, "heat-map.png": ExampleHeatMap,
		"published-table1.png": ExamplePublishedTable1, "published-table2.png": ExamplePublishedTable2,
		"table.png": ExampleTable, "table1.png": ExampleTable1, "table2.png": ExampleTable2, "step-time.png": ExampleStepTime,
		"open-blocks.png": ExampleOpenBlocks, "block-survival.png": ExampleBlockSurvival, "error-by-time.png": ExampleErrorByTime,
		"image-grid.png": ExampleImageGrid, "confusion.png": ExampleConfusion, "gradients-by-block.png": ExampleGradientsByBlock,
		"lesions.png":   ExampleLesions,
		"one-epoch.png": oneEpoch, "long-labels.png": longLabels, "one-run.png": oneRun, "stripes.png": stripes,
		"several-seeds.png": severalSeeds,
	} {
		t.Run(file, func(t *testing.T) {
			cmpimg.CheckPlot(example, t, file)
			os.Remove(filepath.Join("testdata", file))
		})
	}
}

func oneEpoch() {
	list := []*runs.Run{exampleRun(0, 1), exampleRun(0.5, 1)}
	panels, err := figures.PanelsOf(list)
	if err != nil {
		panic(err)
	}
	figure, err := figures.TrainingCurves(figures.OfRuns(list), panels...)
	save("one-epoch.png", figure, err)
}

func oneRun() {
	list := []*runs.Run{exampleRun(0.5, 30)}
	panels, err := figures.PanelsOf(list)
	if err != nil {
		panic(err)
	}
	figure, err := figures.TrainingCurves(figures.OfRuns(list), panels...)
	save("one-run.png", figure, err)
}

func TestPanelsOfSaysWhichSurvival(t *testing.T) {
	titles := func(deathRates ...float64) (titles []string) {
		var list []*runs.Run
		for i, deathRate := range deathRates {
			for _, run := range []*runs.Run{exampleRun(0, 3), exampleRun(deathRate, 3)} {
				run.Recipe.Dataset = []string{"cifar10", "cifar100"}[i]
				list = append(list, run)
			}
		}
		panels, err := figures.PanelsOf(list)
		require.NoError(t, err)
		for _, p := range panels {
			titles = append(titles, p.Title)
		}
		return titles
	}
	require.Equal(t, []string{"CIFAR-10 (500 images), 20 layers, p_L = 0.5", "CIFAR-100 (500 images), 20 layers, p_L = 0.8"},
		titles(0.5, 0.2))
	require.Equal(t, []string{"CIFAR-10 (500 images), 20 layers", "CIFAR-100 (500 images), 20 layers"}, titles(0.5, 0.5))
}

// Each seed has its curves, and the errors beside the circles are means: 10.3 and 8.3 with a deviation of 0.3.
func severalSeeds() {
	var list []*runs.Run
	for seed := int64(1); seed <= 3; seed++ {
		for _, deathRate := range []float64{0, 0.5} {
			run := exampleRun(deathRate, 20)
			run.Recipe.Seed = seed
			shift := 0.3 * float64(seed-2)
			for i := range run.Rows {
				run.Rows[i].TestError += shift * (1 + 5*float64(20-i)/20)
				run.Rows[i].TrainLoss *= 1 + shift/4
			}
			run.Rows[17+seed-1].ValidationError = 0 // selected at epochs 18 to 20
			run.Rows[17+seed-1].TestError = 10.3 - 4*deathRate + shift
			list = append(list, run)
		}
	}
	panels, err := figures.PanelsOf(list)
	if err != nil {
		panic(err)
	}
	figure, err := figures.TrainingCurves(figures.OfRuns(list), panels...)
	save("several-seeds.png", figure, err)
}

func longLabels() {
	panel := longPanel()
	figure, err := figures.TrainingCurves(figures.Recorded(long), panel, panel)
	save("long-labels.png", figure, err)
}

const long = "A caption that has a lot to say about the data set, the depth of the network and the machine with a very long " +
	"name, which needs several lines, and at whose end there is p_L = 0.5 too."

func longPanel() figures.Panel {
	training := func(deathRate float64) []*figures.Training {
		t, err := figures.TrainingOf(exampleRun(deathRate, 12))
		if err != nil {
			panic(err)
		}
		return []*figures.Training{t}
	}
	return figures.Panel{Title: "a data set whose name does not fit above its own panel, with 1202 layers and more",
		Constant: training(0), Stochastic: training(0.5), Digits: 2}
}

// With many blocks there are stripes.
func stripes() {
	survival := depth.Linear(600, 0.5)
	figure, err := figures.StochasticDepth(survival, survival.Draw(depth.Rand(1, depth.GateDraws, 0)))
	save("stripes.png", figure, err)
}

// paperCases are the figures of the paper in their usual and unusual states, for the test of overlapping texts.
func paperCases(add func(name string, f *figures.Figure, err error)) {
	for _, l := range []int{1, 54, 600} {
		f, err := figures.Block(depth.Linear(600, 0.9), l)
		add("block", f, err)
	}
	for _, groups := range [][]int{{1}, {1, 1, 1}, {3, 4, 6, 3}, {18, 18, 18}, {333, 333, 333}} {
		for _, rate := range []float64{0, 0.999} {
			f, err := figures.SurvivalRules(groups, rate)
			add(fmt.Sprintf("rules, %v at %g", groups, rate), f, err)
		}
	}
	panels := func(list ...*runs.Run) []figures.Panel {
		p, err := figures.PanelsOf(list)
		add("panels", nil, err)
		return p
	}
	for name, p := range map[string][]figures.Panel{
		"one epoch": panels(exampleRun(0, 1), exampleRun(0.5, 1)), "500 epochs": panels(exampleRun(0, 500), exampleRun(0.5, 500)),
		"constant only": panels(exampleRun(0, 20)), "stochastic only": panels(exampleRun(0.5, 20)), "long": {longPanel(), longPanel()},
	} {
		f, err := figures.TrainingCurves(figures.Recorded(long), p...)
		add("curves, "+name, f, err)
	}
	equal := longPanel()
	equal.Stochastic = equal.Constant
	f, err := figures.TrainingCurves(made, equal)
	add("curves, equal", f, err)
	flat := &figures.Training{Error: plotter.XYs{{X: 1, Y: 0}, {X: 2, Y: 0}}, Selected: plotter.XY{X: 1}}
	f, err = figures.TrainingCurves(made, figures.Panel{Title: "flat, no loss", Constant: []*figures.Training{flat},
		Stochastic: []*figures.Training{flat}})
	add("curves, flat", f, err)

	many := errorRuns()
	for i, rate := range []float64{0.3, 0.8} { // as many settings as there are styles
		list := seeded(rate, 16, 100, 100)
		for _, run := range list {
			run.Recipe.TestEvery, run.Recipe.SurvivalSchedule = 2, []string{"early", "constant"}[i]
		}
		many = append(many, list...)
	}
	for name, list := range map[string][]*runs.Run{"many": many, "one": {exampleRun(0.5, 1)}, "flat": seeded(0, 2, 0, 0),
		"500 epochs": {exampleRun(0, 500), exampleRun(0.5, 500)}} {
		curves, from, err := figures.ErrorCurvesOf(list)
		add("error curves", nil, err)
		f, err := figures.ErrorCurves(figures.Recorded(long), "Test error", from, curves...)
		add("error curves, "+name, f, err)
	}
	missing := outcome.Estimate{Mean: math.NaN()}
	f, err = figures.DepthBars(made, outcome.DepthErrors{Layers: 20, Constant: missing, Stochastic: outcome.Average(5)},
		outcome.DepthErrors{Layers: 56, Constant: outcome.Average(5, 7), Stochastic: missing},
		outcome.DepthErrors{Layers: 110, Constant: outcome.Average(5, 7), Stochastic: outcome.Average(100)})
	add("bars", f, err)
	for _, n := range []int{1, 6} {
		grid := outcome.Grid{Layers: []int{20, 38, 56, 74, 92, 110}[:n], Survival: []float64{1},
			Errors: [][]outcome.Estimate{make([]outcome.Estimate, n)}}
		f, err = figures.HeatMap(made, grid)
		add("one row", f, err)
	}
	f, err = figures.Gradients(made, [2][]plotter.XYs{1: {{{X: 1, Y: 1e-9}}}}, []float64{0, 1, 2})
	add("gradients", f, err)
	f, err = figures.SurvivalSweep(made, outcome.SurvivalErrors{Constant: missing,
		Uniform: []outcome.SurvivalError{{Survival: 0.1, Error: outcome.Average(5), SpeedUp: 10}}})
	add("one survival probability", f, err)
}

// Each seed has the tests that its recipe asks for, without that of the selected epoch; constant depth comes first.
func TestErrorCurvesOf(t *testing.T) {
	curves, from, err := figures.ErrorCurvesOf(errorRuns())
	require.NoError(t, err)
	require.Equal(t, 13.0, from, "the rate drops after 8 and 12 of 16 epochs")
	var names []string
	for i, curve := range curves {
		names = append(names, curve.Name+": "+curve.Result)
		require.Equal(t, i == 0, curve.Constant)
		require.Len(t, curve.Seeds, 2)
		for seed, points := range curve.Seeds {
			final := []float64{19, 14, 15}[i] + 2*float64(seed)
			require.Len(t, points, 8)
			for j, xy := range points {
				require.Equal(t, float64(2*(j+1)), xy.X)
				require.InDelta(t, final+3*(16-xy.X), xy.Y, 1e-9)
			}
		}
	}
	require.Equal(t, []string{"constant depth: 20.0 ± 1.4 % (n = 2)", "p_L = 0.5: 15.0 ± 1.4 % (n = 2)",
		"p_L = 0.8: 16.0 ± 1.4 % (n = 2)"}, names)
}

// Runs without augmentation stand beside the published errors without it, the others beside theirs.
func TestTable1KnowsAugmentation(t *testing.T) {
	var list []*runs.Run
	for i, run := range append(exampleRuns(), exampleRuns()...) {
		if i >= 4 {
			run.Recipe.Augment, run.Recipe.Dataset, run.Recipe.Depth = "none", "cifar100", 38
			for j := range run.Rows {
				run.Rows[j].TestError += 30
			}
		}
		list = append(list, run)
	}
	table, err := figures.Table1(examplePaper(), list)
	require.NoError(t, err)
	var rows [][]string
	for _, row := range table.Rows {
		rows = append(rows, row.Cells[:6])
	}
	require.Equal(t, [][]string{
		{"CIFAR-10+", "constant", "6.41", "9.62 ± 0.21", "+3.21", "2"}, {"", "stochastic", "5.25", "7.74 ± 0.21", "+2.49", "2"},
		{"CIFAR-10", "constant", "13.63", "no run yet", "", ""}, {"", "stochastic", "11.66", "no run yet", "", ""},
		{"CIFAR-100+", "constant", "27.76", "no run yet", "", ""}, {"", "stochastic", "24.98", "no run yet", "", ""},
		{"CIFAR-100", "constant", "44.74", "39.62 ± 0.21", "−5.12", "2"}, {"", "stochastic", "37.80", "37.74 ± 0.21", "−0.06", "2"},
	}, rows[:8])
	require.Equal(t, "38 layers, p_L = 0.5, 12 epochs", table.Rows[7].Cells[6])

	for _, run := range list { // another experiment
		run.Recipe.TrainImages = 500
	}
	table, err = figures.Table1(examplePaper(), list)
	require.NoError(t, err)
	require.Equal(t, []string{"", "stochastic", "37.80", "37.74 ± 0.21", "", "2", "500 images, 38 layers, p_L = 0.5, 12 epochs"},
		table.Rows[7].Cells)
}

func TestWhatThePaperFiguresCannotDraw(t *testing.T) {
	other := exampleRun(0.5, 3)
	other.Name, other.Recipe.Dataset = "other", "svhn"
	elsewhere := exampleRun(0.5, 3)
	elsewhere.Result = &runs.Result{Session: runs.Session{Machine: "another machine"}}
	empty := exampleRun(0.5, 3)
	empty.Rows = nil
	for name, test := range map[string]struct {
		draw func() error
		want string
	}{
		"other data set": {func() error { _, err := figures.ErrorByTime(made, exampleRun(0, 3), other); return err },
			"the runs constant and other cannot be compared, their recipes differ in dataset: shapes, svhn"},
		"other machine": {func() error { _, err := figures.ErrorByTime(made, exampleRun(0, 3), elsewhere); return err },
			"the training times of constant and stochastic cannot be compared: the machines differ"},
		"two of a kind": {func() error {
			_, err := figures.PanelsOf([]*runs.Run{exampleRun(0.5, 3), exampleRun(0.5, 3)})
			return err
		},
			"the runs stochastic and stochastic are one experiment with one seed: they are not two repeats, name one of them"},
		"two settings": {func() error {
			_, err := figures.PanelsOf([]*runs.Run{exampleRun(0, 3), exampleRun(0.5, 3), exampleRun(0.2, 3)})
			return err
		},
			"the runs stochastic and stochastic are of two stochastic settings: compare one of them at a time"},
		"gradients of one depth": {func() error {
			_, _, err := figures.GradientsOf(nil, []*runs.Run{exampleRun(0.5, 3)})
			return err
		},
			"0 runs of constant and 1 of stochastic depth are no comparison: name one of each at least"},
		"gradients of one seed twice": {func() error {
			_, _, err := figures.GradientsOf([]*runs.Run{exampleRun(0, 3), exampleRun(0, 3)}, []*runs.Run{exampleRun(0.5, 3)})
			return err
		},
			"the runs constant and constant are one experiment with one seed: they are not two repeats, name one of them"},
		"no gradients": {func() error {
			unmade := exampleRun(0.5, 3)
			unmade.Rows = nil
			_, _, err := figures.GradientsOf([]*runs.Run{exampleRun(0, 3)}, []*runs.Run{unmade})
			return err
		},
			"the run stochastic has no gradient magnitudes to draw: train it first"},
		"empty log": {func() error { _, err := figures.PanelsOf([]*runs.Run{empty}); return err },
			"the run stochastic has no evaluated epoch to draw yet: train it first"},
		"three panels": {func() error {
			_, err := figures.TrainingCurves(made, longPanel(), longPanel(), longPanel())
			return err
		},
			"a figure of 3 panels cannot be read: draw one or two"},
		"errors of two depths": {func() error {
			deeper := exampleRun(0.5, 3)
			deeper.Recipe.Depth = 110
			_, _, err := figures.ErrorCurvesOf([]*runs.Run{exampleRun(0, 3), deeper})
			return err
		}, "the runs constant and stochastic cannot be compared, their recipes differ in depth: 20, 110"},
		"errors of other epochs": {func() error {
			_, _, err := figures.ErrorCurvesOf([]*runs.Run{exampleRun(0, 3), exampleRun(0.5, 4)})
			return err
		}, "the runs constant and stochastic cannot be compared, their recipes differ in epochs: 3, 4"},
		"errors of other data": {func() error {
			_, _, err := figures.ErrorCurvesOf([]*runs.Run{exampleRun(0, 3), other})
			return err
		}, "the runs constant and other cannot be compared, their recipes differ in dataset: shapes, svhn"},
		"errors of one seed twice": {func() error {
			_, _, err := figures.ErrorCurvesOf([]*runs.Run{exampleRun(0, 3), exampleRun(0.5, 3), exampleRun(0, 3)})
			return err
		}, "the runs constant and constant are one experiment with one seed: they are not two repeats, name one of them"},
		"errors without a last one": {func() error {
			untested := exampleRun(0, 3)
			untested.Rows[2].TestError = math.NaN()
			_, _, err := figures.ErrorCurvesOf([]*runs.Run{untested})
			return err
		}, "the run constant has no test error after its last epoch"},
		"errors of five stochastic settings": {func() error {
			_, err := figures.ErrorCurves(made, "Error", 0, slices.Repeat([]figures.ErrorCurve{{Seeds: []plotter.XYs{{{X: 1, Y: 1}}}}}, 5)...)
			return err
		}, "more than 4 stochastic settings cannot be told apart: name runs of fewer"},
		"no errors": {func() error { _, err := figures.ErrorCurves(made, "Error", 0); return err },
			"there is no error to draw: name runs with test errors"},
		"a seed without errors": {func() error {
			_, err := figures.ErrorCurves(made, "Error", 0, figures.ErrorCurve{Name: "A", Seeds: []plotter.XYs{{{X: 1}}, nil}})
			return err
		}, `the curve "A" has no error to draw: name runs with test errors`},
		"no measurements": {func() error { _, err := figures.StepTime(&bench.Record{}); return err },
			"the measurements have no network timed at two or more numbers of open blocks: measure with stochdepth bench"},
		"no such block": {func() error { _, err := figures.Block(depth.Linear(9, 0.5), 10); return err },
			"there is no block 10: the network has the blocks 1 to 9"},
		"ragged grid": {func() error {
			_, err := figures.HeatMap(made, outcome.Grid{Layers: []int{20}, Survival: []float64{1}, Errors: [][]outcome.Estimate{{}}})
			return err
		}, "the grid has 0 columns for 1 depths"},
		"ragged table": {func() error {
			_, err := figures.Table{Title: "T", Columns: []string{"a"}, Rows: []figures.TableRow{{}}}.Figure()
			return err
		}, `a row of the table "T" has 0 cells for 1 columns`},
	} {
		t.Run(name, func(t *testing.T) { require.EqualError(t, test.draw(), test.want) })
	}
}
