package figures_test

import (
	"fmt"
	"log"
	"math"
	"slices"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// A 20-layer network has 9 blocks; here blocks 4, 7 and 9 are closed.
func ExampleStochasticDepth() {
	gates := depth.Gates{true, true, true, false, true, true, false, true, false}
	figure, err := figures.StochasticDepth(depth.Linear(len(gates), 0.5), gates)
	if err != nil {
		log.Fatal(err)
	}
	if err := figures.Save("testdata/stochastic-depth.png", figure); err != nil {
		log.Fatal(err)
	}
}

// Five seeds each, of one setting of stochastic and of constant depth.
func ExampleQuickstart() {
	constant, stochastic := seeded(0, 30, 20.4, 21, 19.9, 20.8, 20.2), seeded(0.2, 30, 16.5, 15.3, 16.8, 16.1, 15.9)
	figure, err := figures.Quickstart(figures.OfRuns(slices.Concat(constant, stochastic)), constant, stochastic)
	if err != nil {
		log.Fatal(err)
	}
	if err := figures.Save("testdata/quickstart.png", figure); err != nil {
		log.Fatal(err)
	}
}

// A reader's pair came out differently from the recorded runs.
func ExampleQuickstartOwn() {
	constant, stochastic := seeded(0, 12, 16.2)[0], seeded(0.2, 12, 17.9)[0]
	constant.Recipe.Seed, stochastic.Recipe.Seed = 7, 7
	recordedConstant, recordedStochastic := seeded(0, 12, 20.4, 21, 19.9), seeded(0.2, 12, 16.5, 15.3, 16.8)
	figure, err := figures.QuickstartOwn(constant, stochastic, recordedConstant, recordedStochastic)
	if err != nil {
		log.Fatal(err)
	}
	if err := figures.Save("testdata/quickstart-own.png", figure); err != nil {
		log.Fatal(err)
	}
}

// One run has done all its epochs, the other seven.
func ExampleLiveCurve() {
	stochastic := exampleRun(0.5, 12)
	stochastic.Rows = stochastic.Rows[:7]
	figure, err := figures.LiveCurve(exampleRun(0, 12), stochastic)
	if err != nil {
		log.Fatal(err)
	}
	if err := figures.Save("testdata/live.svg", figure); err != nil {
		log.Fatal(err)
	}
}

// exampleRun makes up a run of the quickstart recipe: smooth curves that end lower and sooner with a death rate.
func exampleRun(deathRate float64, epochs int) *runs.Run {
	recipe, err := recipes.Preset("quickstart")
	if err != nil {
		log.Fatal(err)
	}
	recipe.DeathRate, recipe.Epochs = deathRate, epochs
	run := &runs.Run{Name: "constant", Recipe: recipe,
		Result: &runs.Result{Session: runs.Session{Machine: "example machine", Device: "cpu"}}}
	if deathRate > 0 {
		run.Name = "stochastic"
	}
	for i := 1; i <= epochs; i++ {
		done := float64(i) / float64(epochs)
		wave := math.Sin(9*done+deathRate) * 2 * (1 - done)
		err := 9 - 4*deathRate + 70*math.Exp(-(6-deathRate)*done) + wave
		run.Rows = append(run.Rows, runs.Row{
			Epoch: float64(i), Step: int64(16 * i), TrainLoss: 2.2 * math.Exp(-(6-3*deathRate)*done),
			ValidationError: err + 1, TestError: err, Seconds: (61.3 - 30*deathRate) * done,
		})
	}
	return run
}

// seeded makes up runs of one setting with the seeds 1, 2, ... and the given selected test errors. The networks have nine
// blocks, of which deathRate times 5 are closed on average; an epoch takes ten seconds at constant depth.
func seeded(deathRate float64, epochs int, testErrors ...float64) []*runs.Run {
	var list []*runs.Run
	for i, e := range testErrors {
		run := exampleRun(deathRate, epochs)
		run.Recipe.Seed = int64(i + 1)
		run.Name = fmt.Sprintf("%s-epochs=%d-s%d", run.Name, epochs, i+1)
		last := run.Rows[epochs-1].TestError
		for j := range run.Rows {
			row := &run.Rows[j]
			row.TestError += e - last + 0.5*math.Sin(float64(3*i+j))*float64(epochs-1-j)/float64(epochs)
			row.ValidationError = row.TestError + float64(epochs-j)
			row.TrainLoss *= 1 + 0.1*float64(i)
			row.OpenBlocksMean, row.Seconds = 9-5*deathRate, 10*float64(j+1)*(1-deathRate/2)
		}
		list = append(list, run)
	}
	return list
}

// elsewhere has the runs on another machine.
func elsewhere(list []*runs.Run) []*runs.Run {
	for _, run := range list {
		run.Result = &runs.Result{Session: runs.Session{Machine: "another machine"}}
	}
	return list
}
