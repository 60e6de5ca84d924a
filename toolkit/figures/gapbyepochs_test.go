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
	"stochdepth/toolkit/runs"
)

// lengths are runs of three seeds each, for five lengths of training: at 8 epochs constant depth is ahead.
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
	gaps, err := figures.GapsOf(list)
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

func TestGaps(t *testing.T) {
	list := lengths()
	slices.Reverse(list)
	gaps, err := figures.GapsOf(list)
	require.NoError(t, err)
	require.Len(t, gaps, 5)
	require.Equal(t, []int{8, 128}, []int{gaps[0].Epochs, gaps[4].Epochs})
	// The differences after 8 epochs are 6, 6.6 and 5.1: mean 5.9, variance (0.01 + 0.49 + 0.64) / 2.
	require.InDelta(t, 5.9, gaps[0].Difference, 1e-9)
	require.InDelta(t, math.Sqrt(0.57/3), gaps[0].StandardError, 1e-9)
	require.InDelta(t, 4.303*math.Sqrt(0.57/3), gaps[0].Margin(), 1e-3)
	require.Equal(t, [2]int{0, 3}, [2]int{gaps[0].Wins, gaps[2].Wins})
	require.InDelta(t, 1, gaps[3].Constant.Deviation, 1e-9)

	// Longer trainings may be evaluated more rarely.
	for _, run := range list {
		if run.Recipe.Epochs > 32 {
			run.Recipe.EvaluateEvery, run.Recipe.TestEvery = 100, 5
		}
	}
	_, err = figures.GapsOf(list)
	require.NoError(t, err)

	_, err = figures.GapsOf(list[1:])
	require.EqualError(t, err, "the run constant-epochs=128-s3 has no partner of stochastic depth with seed 3 and 128 epochs to be compared with")
	_, err = figures.GapsOf(slices.Concat(seeded(0.2, 8, 1), seeded(0, 4, 1)))
	require.EqualError(t, err, "the run constant-epochs=4-s1 has no partner of stochastic depth with seed 1 and 4 epochs to be compared with")
	_, err = figures.GapsOf(slices.Concat(seeded(0, 8, 1), seeded(0.2, 8, 1), seeded(0, 4, 1), seeded(0.5, 4, 1)))
	require.EqualError(t, err, "the runs stochastic-epochs=8-s1 and stochastic-epochs=4-s1 are of two stochastic settings: name those of one")
	deeper := seeded(0.2, 8, 1)
	deeper[0].Recipe.Depth = 38
	_, err = figures.GapsOf(slices.Concat(seeded(0, 8, 1), deeper))
	require.EqualError(t, err, "the runs constant-epochs=8-s1 and stochastic-epochs=8-s1 cannot be compared, their recipes differ in depth: 20, 38")
	_, err = figures.GapByEpochs(made)
	require.EqualError(t, err, "there is no length of training to draw")
}

// gapCases are gaps in unusual states, for the test of overlapping texts.
func gapCases(add func(name string, f *figures.Figure, err error)) {
	for name, list := range map[string][]float64{"one": {3}, "zero": {0, 0}, "huge": {50, -40, 30, 0, -1, 5, 7}, "tiny": {0.01, -0.01}, "ahead": {-9, -8, -7}} {
		var all []*runs.Run
		for i, gap := range list {
			all = append(all, seeded(0, 4<<i, 50)...)
			all = append(all, seeded(0.2, 4<<i, 50+gap)...)
		}
		gaps, err := figures.GapsOf(all)
		add("gaps", nil, err)
		f, err := figures.GapByEpochs(figures.OfRuns(all), gaps...)
		add(fmt.Sprint("gaps, ", name), f, err)
	}
}
