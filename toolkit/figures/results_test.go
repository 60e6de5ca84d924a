package figures_test

import (
	"fmt"
	"log"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/cmpimg"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

// regimes are two regimes: shapes with two stochastic settings, and CIFAR-10 with one run each.
func regimes() []*runs.Run {
	early := seeded(0.2, 12, 18, 17.5, 18.9)
	for _, run := range early {
		run.Name = "early-" + run.Name
		run.Recipe.SurvivalSchedule = "early"
	}
	list := slices.Concat(seeded(0, 12, 20, 21, 22), seeded(0.2, 12, 16, 17, 18.3), early[1:])
	for _, run := range slices.Concat(seeded(0, 6, 9.5), seeded(0.5, 6, 12.25)) {
		run.Recipe.Dataset, run.Recipe.Augment, run.Recipe.TrainImages, run.Recipe.TestImages = "cifar10", "shift", 0, 0
		if !run.Recipe.IsConstant() {
			run.Recipe.Rule = "uniform"
			run.Result = &runs.Result{Session: runs.Session{Machine: "another"}}
		}
		list = append(list, run)
	}
	return list
}

func ExampleResults() {
	table, err := figures.Results(regimes())
	if err != nil {
		log.Fatal(err)
	}
	figure, err := table.Figure()
	save("results.png", figure, err)
}

func TestResultsLookAsBefore(t *testing.T) {
	cmpimg.CheckPlot(ExampleResults, t, "results.png")
	os.Remove("testdata/results.png")
}

func TestResults(t *testing.T) {
	list := regimes()
	table, err := figures.Results(list)
	require.NoError(t, err)
	var cells [][]string
	for _, row := range table.Rows {
		cells = append(cells, row.Cells)
	}
	// Paired: -4, -4 and -3.7, of mean -3.9 and variance 0.03: 4.303 standard errors of 0.1. The early schedule's seeds
	// are two of three, and so are those of constant depth beside it: -3.5 and -3.1, and 12.706 standard errors of 0.2.
	require.Equal(t, [][]string{
		{"shapes, 500 images", "20", "12", "p_L = 0.8", "3", "21.0 ± 1.0", "17.1 ± 1.2", "−3.9 [−4.3, −3.5]", "3 of 3", "11 %", "10 %"},
		{"", "", "", "p_L = 0.8, early schedule", "2", "21.5 ± 0.7", "18.2 ± 1.0", "−3.3 [−5.8, −0.8]", "2 of 2", "11 %", "10 %"},
		{"CIFAR-10+", "20", "6", "uniform, p_L = 0.5", "1", "9.50", "12.25", "+2.75", "0 of 1", "28 %", "–"},
	}, cells)
	require.Equal(t, [][]int{{7}, {7}, nil}, [][]int{table.Rows[0].BoldCells, table.Rows[1].BoldCells, table.Rows[2].BoldCells})
	require.Equal(t, []bool{true, false, true}, []bool{table.Rows[0].Rule, table.Rows[1].Rule, table.Rows[2].Rule})
	require.Contains(t, table.Markdown(), "| 17.1 ± 1.2 | **−3.9 [−4.3, −3.5]** | 3 of 3 |")

	slower := seeded(0.2, 12, 16)
	slower[0].Rows[11].Seconds, slower[0].Rows[3].OpenBlocksMean = 132, math.NaN()
	table, err = figures.Results(append(slower, seeded(0, 12, 16)...))
	require.NoError(t, err)
	require.Equal(t, []string{"0 of 1", "–", "−10 %"}, table.Rows[0].Cells[8:])

	_, err = figures.Results(list[3:])
	require.EqualError(t, err, "the run stochastic-epochs=12-s1 has no run of constant depth with the same settings to "+
		"be compared with")
	_, err = figures.Results(list[:3])
	require.EqualError(t, err, "the run constant-epochs=12-s1 of constant depth has no run of stochastic depth with the same "+
		"settings to be compared with")
	_, err = figures.Results(append(list, list[0]))
	require.EqualError(t, err, "the runs constant-epochs=12-s1 and constant-epochs=12-s1 are one experiment with one seed: "+
		"they are not two repeats, name one of them")
}

// Times are compared over the seeds common to both, and for equal work.
func TestTable2ComparesLikeWithLike(t *testing.T) {
	constant, stochastic := seeded(0, 3, 10, 12, 40), seeded(0.2, 3, 11, 13)
	constant[2].Rows[2].Seconds = 1000
	table, err := figures.Table2(examplePaper(), slices.Concat(constant, stochastic))
	require.NoError(t, err)
	last := table.Rows[len(table.Rows)-1].Cells
	require.Equal(t, []string{"30.0 s ± 0.0 s", "27.0 s ± 0.0 s", "10.0 %", "", "2"}, last[2:7])

	stochastic[0].Rows, stochastic[0].Result.Status = stochastic[0].Rows[:2], "stopped"
	_, err = figures.Table2(examplePaper(), slices.Concat(constant[:1], stochastic[:1]))
	require.ErrorContains(t, err, "the numbers of steps differ, 48 and 32")
	table, err = figures.Results(slices.Concat(constant[:1], stochastic[:1]))
	require.NoError(t, err)
	require.Equal(t, "–", table.Rows[0].Cells[10])
	require.Contains(t, table.Provenance.Caption, "The run stochastic-epochs=3-s1 has done 2 of 3 epochs.")
}

// lengths returns runs of three seeds each, for five lengths of training: at 8 epochs constant depth is ahead.
func lengths() []*runs.Run {
	var list []*runs.Run
	for i, epochs := range []int{8, 16, 32, 64, 128} {
		constant := 38 - 4*float64(i)
		gap := []float64{6, 1, -2, -3.5, -4}[i]
		list = append(list, seeded(0, epochs, constant, constant+1, constant-1)...)
		list = append(list, seeded(0.2, epochs, constant+gap, constant+gap+1.6, constant+gap-1.9)...)
	}
	return list
}

func ExampleGapByEpochs() {
	list := lengths()
	gaps, err := outcome.GapsOf(list)
	if err != nil {
		log.Fatal(err)
	}
	figure, err := figures.GapByEpochs(figures.OfRuns(list), gaps...)
	save("gap-by-epochs.png", figure, err)
}

func TestGapByEpochsLooksAsBefore(t *testing.T) {
	cmpimg.CheckPlot(ExampleGapByEpochs, t, "gap-by-epochs.png")
	os.Remove("testdata/gap-by-epochs.png")
}

func TestNoGapToDraw(t *testing.T) {
	_, err := figures.GapByEpochs(made)
	require.EqualError(t, err, "there is no length of training to draw")
}

// gapCases are gaps in unusual states, for the test of overlapping texts.
func gapCases(add func(name string, f *figures.Figure, err error)) {
	for name, list := range map[string][]float64{"one": {3}, "zero": {0, 0}, "huge": {50, -40, 30, 0, -1, 5, 7},
		"tiny": {0.01, -0.01}, "ahead": {-9, -8, -7}} {
		var all []*runs.Run
		for i, gap := range list {
			all = append(all, seeded(0, 4<<i, 50)...)
			all = append(all, seeded(0.2, 4<<i, 50+gap)...)
		}
		gaps, err := outcome.GapsOf(all)
		add("gaps", nil, err)
		f, err := figures.GapByEpochs(figures.OfRuns(all), gaps...)
		add(fmt.Sprint("gaps, ", name), f, err)
	}
}
