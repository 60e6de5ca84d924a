package figures_test

import (
	"fmt"
	"log"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/cmpimg"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

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
