package figures_test

import (
	"fmt"
	"image/color"
	"log"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/outcome/published"
	"stochdepth/toolkit/runs"
)

// save writes an example's figure, or ends the program.
func save(name string, figure *figures.Figure, err error) {
	if err == nil {
		err = figures.Save("testdata/"+name, figure)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// made says that the data of an example are made up.
var made = figures.Provenance{Origin: "example", Caption: "Made-up numbers, linear rule with p_L = 0.5."}

func ExampleBlock() {
	figure, err := figures.Block(depth.Linear(9, 0.5), 7)
	save("block.png", figure, err)
}

func ExampleSurvivalRules() {
	figure, err := figures.SurvivalRules([]int{3, 3, 3}, 0.5)
	save("rules.png", figure, err)
}

func ExampleTrainingCurves() {
	constant, err := figures.TrainingOf(exampleRun(0, 12))
	if err != nil {
		log.Fatal(err)
	}
	stochastic, err := figures.TrainingOf(exampleRun(0.5, 12))
	if err != nil {
		log.Fatal(err)
	}
	panel := figures.Panel{Title: "shapes, 20 layers", Constant: []*figures.Training{constant},
		Stochastic: []*figures.Training{stochastic}, Digits: 1}
	figure, err := figures.TrainingCurves(made, panel, panel)
	save("training-curves.png", figure, err)
}

// For a column of a dark page, which has its own title and caption.
func ExampleFigure_In() {
	panels, err := figures.PanelsOf([]*runs.Run{exampleRun(0, 40), exampleRun(0.5, 40)})
	if err != nil {
		log.Fatal(err)
	}
	figure, err := figures.TrainingCurves(made, panels[0], panels[0])
	if err != nil {
		log.Fatal(err)
	}
	figure, err = figure.In(figures.Style{Width: 8 * vg.Centimeter, NoTitle: true, NoCaption: true, Theme: figures.Dark})
	save("column.png", figure, err)
}

// PanelsOf pairs the runs; OfRuns writes the caption.
func ExamplePanelsOf() {
	list := []*runs.Run{exampleRun(0, 500), exampleRun(0.5, 500)}
	panels, err := figures.PanelsOf(list)
	if err != nil {
		log.Fatal(err)
	}
	figure, err := figures.TrainingCurves(figures.OfRuns(list), panels...)
	save("training-curves-500.png", figure, err)
}

func ExampleDepthBars() {
	figure, err := figures.DepthBars(made,
		outcome.DepthErrors{Layers: 110, Constant: outcome.Average(6.3, 6.5), Stochastic: outcome.Average(5.2, 5.3)},
		outcome.DepthErrors{Layers: 1202, Constant: outcome.Average(6.7), Stochastic: outcome.Average(4.9, 5.1)})
	save("depth-bars.png", figure, err)
}

func ExampleErrorCurves() {
	curve := func(name string, constant bool, end float64) figures.ErrorCurve {
		var points plotter.XYs
		for epoch := 1.0; epoch <= 60; epoch++ {
			points = append(points, plotter.XY{X: epoch, Y: end + 40*math.Exp(-epoch/8) + math.Sin(9*epoch)*2/epoch})
		}
		return figures.ErrorCurve{Name: name, Constant: constant, Seeds: []plotter.XYs{points},
			Printed: plotter.XYs{points[44], points[59]}}
	}
	figure, err := figures.ErrorCurves(made, "Validation error", 40,
		curve("constant depth", true, 21.8), curve("stochastic depth", false, 22.2))
	save("error-curves.png", figure, err)
}

// Two networks' probabilities for 400 images: the second is right as often as it says.
func ExampleCalibration() {
	curve := func(name string, sure float64) figures.CalibrationCurve {
		labels, probabilities := make([]int, 400), make([][]float64, 400)
		for i := range labels {
			p := 0.5 + 0.5*float64(i)/400
			labels[i] = 1
			if float64(i*7919%400)/400 < p {
				labels[i] = 0
			}
			p += (1 - p) * sure
			probabilities[i] = []float64{p, 1 - p}
		}
		c, err := outcome.CalibrationOf(labels, probabilities)
		if err != nil {
			log.Fatal(err)
		}
		return figures.CalibrationCurve{Name: name, Calibration: c}
	}
	figure, err := figures.Calibration(made, curve("blocks scaled", 0.6), curve("mean of 32 passes", 0))
	save("calibration.png", figure, err)
}

// Three settings of two seeds each: legend and lines are of means.
func ExampleErrorCurvesOf() {
	list := errorRuns()
	curves, from, err := figures.ErrorCurvesOf(list)
	if err != nil {
		log.Fatal(err)
	}
	figure, err := figures.ErrorCurves(figures.OfRuns(list), "Test error", from, curves...)
	save("error-curves-of-seeds.png", figure, err)
}

// errorRuns are two seeds each of constant depth and of two stochastic settings, tested at every second of 16 evaluations and
// at the selected one, with errors that differ by 2 between the seeds. Stochastic runs come first.
func errorRuns() []*runs.Run {
	list := slices.Concat(seeded(0.5, 16, 14, 16), seeded(0.2, 16, 15, 17), seeded(0, 16, 19, 21))
	for _, run := range list {
		run.Recipe.TestEvery = 2
		for i := range run.Rows {
			row := &run.Rows[i]
			row.TestError = run.Rows[15].TestError + 3*float64(15-i)
			if i%2 == 0 && i != 10 {
				row.TestError = math.NaN()
			}
		}
		run.Rows[10].ValidationError = 0
	}
	return list
}

func ExampleGradients() {
	var curves [2]plotter.XYs
	for epoch := 1.0; epoch <= 40; epoch++ {
		fall := math.Pow(0.3, math.Floor(epoch/20.5))
		curves[0] = append(curves[0], plotter.XY{X: epoch, Y: 2e-5 * fall * (1 - math.Exp(-epoch))})
		curves[1] = append(curves[1], plotter.XY{X: epoch, Y: 2.3e-5 * math.Sqrt(fall) * (1 - math.Exp(-epoch))})
	}
	figure, err := figures.Gradients(made, [2][]plotter.XYs{{curves[0]}, {curves[1]}}, []float64{20, 30})
	save("gradients.png", figure, err)
}

func ExampleSurvivalSweep() {
	swept := outcome.SurvivalErrors{Constant: outcome.Average(6.3, 6.5), Digits: 2}
	for i := 1; i <= 9; i++ {
		p := float64(i) / 10
		linear := outcome.SurvivalError{Survival: p, Error: outcome.Average(5.2+4*(p-0.6)*(p-0.6), 5.4+5*(p-0.6)*(p-0.6))}
		if i == 5 {
			linear.SpeedUp = 1.33
		}
		swept.Linear = append(swept.Linear, linear)
		if i > 2 { // the grid need not be complete
			swept.Uniform = append(swept.Uniform, outcome.SurvivalError{Survival: p, Error: outcome.Average(5.4 + 9*(p-0.8)*(p-0.8))})
		}
	}
	figure, err := figures.SurvivalSweep(made, swept)
	save("survival-sweep.png", figure, err)
}

// The cell of 56 layers and p_L = 1 has no run.
func ExampleHeatMap() {
	grid := outcome.Grid{Layers: []int{20, 56, 110}, Survival: []float64{1, 0.8, 0.5}, Errors: [][]outcome.Estimate{
		{outcome.Average(8.2, 8.4), {Mean: math.NaN()}, outcome.Average(6.3, 6.5)},
		{outcome.Average(7.7), outcome.Average(5.6, 5.8), outcome.Average(5.7)},
		{outcome.Average(9.4), outcome.Average(6.4), outcome.Average(5.2, 5.3)},
	}}
	figure, err := figures.HeatMap(made, grid)
	save("heat-map.png", figure, err)
}

var exampleTable = figures.Table{Title: "Test error (%)", Provenance: made, Columns: []string{"Network", "Published", "Ours"},
	Rows: []figures.TableRow{
		{Cells: []string{"constant depth", "6.41", "6.52 ± 0.11"}},
		{Cells: []string{"stochastic depth, p_L = 0.5", "5.25", "5.31 ± 0.07"}, Bold: true},
	}}

func ExampleTable() {
	figure, err := exampleTable.Figure()
	save("table.png", figure, err)
}

func ExampleTable_Markdown() {
	fmt.Println(exampleTable.Markdown())
	// Output:
	// **Test error (%)** (example)
	//
	// | Network | Published | Ours |
	// | --- | --- | --- |
	// | constant depth | 6.41 | 6.52 ± 0.11 |
	// | **stochastic depth, *p<sub>L</sub>* = 0.5** | **5.25** | **5.31 ± 0.07** |
	//
	// Made-up numbers, linear rule with *p<sub>L</sub>* = 0.5.
}

// The paper's table beside four runs of two settings.
func ExampleTable1() {
	table, err := figures.Table1(examplePaper(), exampleRuns())
	if err != nil {
		log.Fatal(err)
	}
	figure, err := table.Figure()
	save("table1.png", figure, err)
}

func ExampleTable2() {
	table, err := figures.Table2(examplePaper(), exampleRuns())
	if err != nil {
		log.Fatal(err)
	}
	figure, err := table.Figure()
	save("table2.png", figure, err)
}

func ExampleStepTime() {
	record := &bench.Record{Commit: "0123456789", Machine: "example machine", Device: "cpu", Date: "2016-03-30T00:00:00Z"}
	for _, mode := range []string{"survivors", "resnet"} {
		for open := 0; open <= 54; open += 9 {
			ms := 120 + 44*float64(open)
			if mode == "resnet" {
				ms = 2700 + float64(open%2)
			}
			record.Results = append(record.Results, bench.Measurement{System: "stochdepth", Mode: mode, DType: "float32",
				Layers: 110, Batch: 128,
				Fixed: true, Blocks: 54, Open: float64(open), Steps: 10, StepMS: ms, LowMS: ms * 0.97, HighMS: ms * 1.06})
		}
	}
	figure, err := figures.StepTime(record)
	save("step-time.png", figure, err)
}

func ExampleOpenBlocks() {
	figure, err := figures.OpenBlocks(made, outcome.Simulate(depth.Linear(9, 0.5), 16*12, 1))
	save("open-blocks.png", figure, err)
}

func ExampleBlockSurvival() {
	figure, err := figures.BlockSurvival(made, outcome.Simulate(depth.Linear(9, 0.5), 16*12, 1))
	save("block-survival.png", figure, err)
}

func ExampleErrorByTime() {
	figure, err := figures.ErrorByTime(made, exampleRun(0, 12), exampleRun(0.5, 12))
	save("error-by-time.png", figure, err)
}

// Your own plot with a second vertical axis.
func ExampleRightAxis() {
	p := plot.New()
	p.Y.Label.Text = "test error (%)"
	left, err := plotter.NewLine(plotter.XYs{{X: 1, Y: 40}, {X: 2, Y: 20}, {X: 3, Y: 15}})
	if err != nil {
		log.Fatal(err)
	}
	axis := figures.NewLogRightAxis("training loss", 0.001, 3)
	axis.Add(plotter.XYs{{X: 1, Y: 2}, {X: 2, Y: 0.1}, {X: 3, Y: 0.002}},
		draw.LineStyle{Color: color.NRGBA{B: 0xff, A: 0xff}, Width: 1, Dashes: []vg.Length{4, 2}})
	p.Add(left, axis)
	p.Title.Text = " " // room for the right label
	if err := p.Save(5*vg.Inch, 3*vg.Inch, "testdata/right-axis.png"); err != nil {
		log.Fatal(err)
	}
}

func ExamplePublishedTable1() {
	table, err := figures.PublishedTable1(examplePaper())
	if err != nil {
		log.Fatal(err)
	}
	figure, err := table.Figure()
	save("published-table1.png", figure, err)
}

func ExamplePublishedTable2() {
	table, err := figures.PublishedTable2(examplePaper())
	if err != nil {
		log.Fatal(err)
	}
	figure, err := table.Figure()
	save("published-table2.png", figure, err)
}

func examplePaper() *published.Paper {
	paper, err := published.Read("../../data/published.json")
	if err != nil {
		log.Fatal(err)
	}
	return paper
}

// exampleRuns are two seeds each of constant and stochastic depth, as if on CIFAR-10.
func exampleRuns() []*runs.Run {
	var list []*runs.Run
	for _, deathRate := range []float64{0, 0.5} {
		for seed := int64(1); seed <= 2; seed++ {
			run := exampleRun(deathRate, 12)
			run.Recipe.Seed, run.Recipe.Dataset, run.Recipe.Augment, run.Recipe.TrainImages = seed, "cifar10", "shift", 0
			run.Name += fmt.Sprint("-", seed)
			for i := range run.Rows {
				run.Rows[i].TestError += 0.3 * float64(seed)
				run.Rows[i].Seconds += float64(seed)
			}
			list = append(list, run)
		}
	}
	return list
}
