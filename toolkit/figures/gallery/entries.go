package gallery

import (
	"cmp"
	"fmt"
	"slices"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/outcome/published"
	"stochdepth/toolkit/runs"
)

// Entries lists all figures and tables, in the order of the paper.
func Entries() []Entry {
	cifar := settings{"110 layers and 500 epochs", []int{110}, 500}
	depths := settings{"20 to 110 layers and 500 epochs", []int{20, 38, 56, 74, 92, 110}, 500}
	return []Entry{
		{Name: "stochastic-depth", Heading: "The idea", inputs: nothing, draw: drawNetwork(9),
			Shows: "Survival probabilities of the linear rule, and the network of one minibatch: " +
				"a closed block leaves only its shortcut."},
		{Name: "quickstart", Heading: "The idea", inputs: ofRuns, draw: drawQuickstart,
			Shows: "The quickstart's recorded runs at constant and at stochastic depth: test error, training loss and training time, " +
				"each seed and the mean."},

		{Name: "fig1", Heading: "Fig. 1: a residual block", inputs: nothing, draw: drawBlock,
			Shows: "A residual block with its gate, and what it computes in training and at test time."},
		{Name: "paper/fig2", Heading: "Fig. 2: linear decay", inputs: paper, draw: drawPaperFig2,
			Shows: "The paper's example: five blocks, linear decay from 1 to 0.5, blocks 3 and 5 closed."},
		{Name: "fig2", Heading: "Fig. 2: linear decay", inputs: nothing, draw: drawNetwork(54),
			Shows: "Linear decay over the 54 blocks of 110 layers, and the first minibatch of seed 1."},
		{Name: "rules", Heading: "Fig. 2: linear decay", inputs: nothing, draw: drawRules,
			Shows: "The paper's rule beside those of other libraries, block by block, for one death rate."},

		{Name: "paper/fig3", Heading: "Fig. 3: training on CIFAR", inputs: paper, draw: drawPaperCurves("Fig. 3 left", "Fig. 3 right"),
			Shows: "Test error and training loss, 110 layers on CIFAR-10 and CIFAR-100, read off the paper's drawing; " +
				"the selected errors are printed there."},
		{Name: "fig3", Heading: "Fig. 3: training on CIFAR", inputs: ofRuns, settings: cifar, draw: drawCurves,
			beside: []string{"Fig. 3 left", "Fig. 3 right"},
			Shows:  "Test error and training loss by epoch, constant and stochastic depth, of our runs."},
		{Name: "paper/fig4", Heading: "Fig. 4: SVHN, and 1202 layers", inputs: paper,
			draw:  drawPaperCurves("Fig. 4 left", "Fig. 4 right"),
			Shows: "Test error and training loss, 152 layers on SVHN and 1202 layers on CIFAR-10, read off the paper's drawing."},
		{Name: "fig4", Heading: "Fig. 4: SVHN, and 1202 layers", inputs: ofRuns, draw: drawCurves,
			settings: settings{"152 layers and 50 epochs on SVHN, 1202 layers and 300 epochs on CIFAR-10", []int{152, 1202}, 50},
			beside:   []string{"Fig. 4 left", "Fig. 4 right"},
			Shows:    "Test error and training loss by epoch, on SVHN and of 1202 layers, of our runs."},
		{Name: "paper/fig5", Heading: "Fig. 5: depth", inputs: paper, draw: drawPaperFig5,
			Shows: "From 110 to 1202 layers the error rises at constant depth and falls with stochastic depth."},
		{Name: "fig5", Heading: "Fig. 5: depth", inputs: ofRuns,
			settings: settings{"110 and 1202 layers, 500 and 300 epochs", []int{110, 1202}, 300}, draw: drawFig5,
			Shows: "Test error by depth of our runs."},
		{Name: "paper/fig6", Heading: "Fig. 6: ImageNet", inputs: paper, draw: drawPaperFig6,
			Shows: "Validation error of 152 layers on ImageNet by epoch, read off the paper's drawing, and its end enlarged; " +
				"the errors after 90 and 120 epochs are printed in the text. We have no run on ImageNet."},
		{Name: "fig6", Heading: "Fig. 6: ImageNet", inputs: ofRuns,
			settings: settings{"152 layers on ImageNet and 120 epochs", []int{152}, 120}, draw: drawFig6,
			Shows: "The same for our runs, on fewer and smaller images: test error by epoch, each seed and the mean."},
		{Name: "paper/fig7", Heading: "Fig. 7: gradients", inputs: paper, draw: drawPaperFig7,
			Shows: "Mean gradient magnitude of the first convolution of the first block, 110 layers on CIFAR-10, " +
				"read off the paper's drawing."},
		{Name: "fig7", Heading: "Fig. 7: gradients", inputs: ofRuns, settings: cifar, draw: drawFig7,
			Shows: "Mean gradient magnitude of the first convolution of the first block, of our runs."},
		{Name: "paper/fig8-left", Heading: "Fig. 8 left: survival probability", inputs: paper, draw: drawPaperFig8Left,
			Shows: "Test error by survival probability for both rules, read off the paper's drawing."},
		{Name: "fig8-left", Heading: "Fig. 8 left: survival probability", inputs: ofRuns, settings: cifar, draw: drawFig8Left,
			beside: []string{"Fig. 8 left"},
			Shows:  "Test error by survival probability of our runs, mean and standard deviation over seeds."},
		{Name: "paper/fig8-right", Heading: "Fig. 8 right: depth and survival probability", inputs: paper, draw: drawPaperFig8Right,
			Shows: "Test error by depth and survival probability, as printed in the paper's figure."},
		{Name: "fig8-right", Heading: "Fig. 8 right: depth and survival probability", inputs: ofRuns, settings: depths,
			draw:  drawFig8Right,
			Shows: "Test error by depth and survival probability of our runs, mean over seeds."},

		{Name: "paper/table1", Heading: "Table 1: test errors", inputs: paper, draw: drawPaperTable(figures.PublishedTable1),
			Shows: "The paper's comparison with other methods."},
		{Name: "table1", Heading: "Table 1: test errors", inputs: ofRuns, draw: drawTable(figures.Table1),
			Shows: "Published errors and ours, with the difference, n, spread and conditions."},
		{Name: "paper/table2", Heading: "Table 2: training times", inputs: paper, draw: drawPaperTable(figures.PublishedTable2),
			Shows: "The paper's training times, and the time saved."},
		{Name: "table2", Heading: "Table 2: training times", inputs: ofRuns, draw: drawTable(figures.Table2),
			Shows: "Published training times and ours, compared by the time saved."},

		{Name: "degradation", Heading: "Beyond the paper", inputs: ofRuns, draw: drawDegradation,
			Shows: "Why blocks have a shortcut: training error of plain and of residual networks, by depth."},
		{Name: "results", Heading: "Beyond the paper", inputs: ofRuns, draw: drawResults(""),
			Shows: "All recorded regimes: constant and stochastic depth over seeds, with the difference, blocks and time saved."},
		{Name: "time-to-accuracy", Heading: "Beyond the paper", inputs: ofRuns, draw: drawTimeToAccuracy,
			Shows: "How soon stochastic depth reaches constant depth's lowest validation error, and the other way round: steps, and time."},
		{Name: "fronts", Heading: "Beyond the paper", inputs: ofPruned,
			draw:  func(d *drawing) (*figures.Figure, error) { return figures.Fronts(d.pruned...) },
			Shows: "Blocks removed after training: test error against the work that is left, beside networks that were trained small."},
		{Name: "gap-by-epochs", Heading: "Beyond the paper", inputs: ofRuns, draw: drawGapByEpochs,
			Shows: "What stochastic depth gains or loses against constant depth, by the length of training."},
		{Name: "schedules", Heading: "Beyond the paper", inputs: ofRuns, draw: drawResults("Schedules of the death rate: test error"),
			Shows: "Schedules of the death rate: the paper's, a ramp, and blocks closed only early or only late."},
		{Name: "variants", Heading: "Beyond the paper", inputs: ofRuns, draw: drawResults("Other gates and scales: test error"),
			Shows: "Other choices than the paper's: a gate for each image instead of one for the minibatch, " +
				"branches scaled in training instead of at test."},
		{Name: "step-time", Heading: "Beyond the paper", inputs: ofBench, draw: drawStepTime,
			Shows: "Measured time of a training step against the number of open blocks: the cost follows them."},
		{Name: "step-time-blocks", Heading: "Beyond the paper", inputs: ofBench, draw: drawStepTime,
			Shows: "The same for other kinds of blocks, whose gradients are GoMLX's."},
		{Name: "step-time-gpu", Heading: "Beyond the paper", inputs: ofBench, draw: drawStepTime,
			Shows: "The same for the paper's block on an NVIDIA GPU."},
		{Name: "open-blocks", Heading: "Beyond the paper", inputs: ofRuns, draw: drawGates(figures.OpenBlocks),
			Shows: "How many blocks were open in the minibatches of a run, against the expected distribution."},
		{Name: "block-survival", Heading: "Beyond the paper", inputs: ofRuns, draw: drawGates(figures.BlockSurvival),
			Shows: "How often each block was open over a run, against its survival probability."},
		{Name: "error-by-time", Heading: "Beyond the paper", inputs: ofRuns, draw: drawErrorByTime,
			Shows: "Test error against training time, at constant and at stochastic depth."},
	}
}

func drawNetwork(blocks int) func(*drawing) (*figures.Figure, error) {
	return func(d *drawing) (*figures.Figure, error) {
		n := d.network.withDefaults(blocks)
		survival, err := n.survival()
		if err != nil {
			return nil, err
		}
		return figures.StochasticDepth(survival, survival.Draw(depth.Rand(n.Seed, depth.GateDraws, 0)))
	}
}

func drawBlock(d *drawing) (*figures.Figure, error) {
	survival, err := d.network.withDefaults(54).survival()
	if err != nil {
		return nil, err
	}
	return figures.Block(survival, (len(survival)+1)/2)
}

func drawDegradation(d *drawing) (*figures.Figure, error) {
	return figures.Degradation(d.provenance, d.list)
}

func drawRules(d *drawing) (*figures.Figure, error) {
	n := d.network.withDefaults(9)
	groups, err := n.groups()
	if err != nil {
		return nil, err
	}
	return figures.SurvivalRules(groups, n.DeathRate)
}

func drawQuickstart(d *drawing) (*figures.Figure, error) {
	constant, stochastic := outcome.Split(d.list)
	a, b := outcome.OfSharedSeeds(constant, stochastic) // which are drawn
	return figures.Quickstart(figures.OfRuns(slices.Concat(a, b)).With(d.note), constant, stochastic)
}

func drawErrorByTime(d *drawing) (*figures.Figure, error) {
	constant, stochastic, err := d.pair()
	if err != nil {
		return nil, err
	}
	return figures.ErrorByTime(d.provenance, constant, stochastic)
}

// pair returns the two runs of a figure that compares two, that of constant depth first.
func (d *drawing) pair() (constant, stochastic *runs.Run, err error) {
	if len(d.list) != 2 {
		return nil, nil, fmt.Errorf("%d runs are named: this figure compares two, one of constant and one of stochastic depth",
			len(d.list))
	}
	constant, stochastic = d.list[0], d.list[1]
	if stochastic.Recipe.IsConstant() {
		constant, stochastic = stochastic, constant
	}
	if !constant.Recipe.IsConstant() || stochastic.Recipe.IsConstant() {
		return nil, nil, fmt.Errorf("the runs %s and %s are not one of constant and one of stochastic depth: "+
			"this figure compares these", constant.Name, stochastic.Name)
	}
	return constant, stochastic, nil
}

func drawCurves(d *drawing) (*figures.Figure, error) {
	panels, err := figures.PanelsOf(d.list)
	if err != nil {
		return nil, err
	}
	provenance := d.provenance
	if d.beside != nil {
		if provenance, err = d.addPublished(panels); err != nil {
			return nil, err
		}
	}
	return figures.TrainingCurves(provenance, panels...)
}

func drawFig5(d *drawing) (*figures.Figure, error) {
	bars, err := outcome.DepthErrorsOf(d.list)
	if err != nil {
		return nil, err
	}
	return figures.DepthBars(d.provenance.With("Arrows: the change from the bar of the next fewer layers. Spreads: ± standard deviation over "+
		"seeds; one seed has none."), bars...)
}

func drawFig6(d *drawing) (*figures.Figure, error) {
	curves, from, err := figures.ErrorCurvesOf(d.list)
	if err != nil {
		return nil, err
	}
	provenance := d.provenance.With("Legend: test error after the last epoch, not at the selected one; " +
		"mean ± standard deviation over n seeds.")
	return figures.ErrorCurves(provenance, "Test error", from, curves...)
}

func drawFig7(d *drawing) (*figures.Figure, error) {
	curves, drops, err := figures.GradientsOf(outcome.Split(d.list))
	if err != nil {
		return nil, err
	}
	return figures.Gradients(d.provenance, curves, drops)
}

func drawFig8Left(d *drawing) (*figures.Figure, error) {
	swept, err := outcome.SurvivalErrorsOf(d.list)
	if err != nil {
		return nil, err
	}
	provenance := d.provenance.With("Bars and band: ± standard deviation over seeds. Circles: the best of each rule.",
		"Speed-ups are computed: blocks over expected open blocks.")
	if d.beside == nil {
		return figures.SurvivalSweep(provenance, swept)
	}
	published, err := d.publishedSweep()
	if err != nil {
		return nil, err
	}
	provenance = provenance.With("Pale, published: Fig. 8 left of the paper (110 layers, CIFAR-10+), read off its drawing.",
		"The others: our runs.")
	return figures.SurvivalSweep(provenance, swept, published)
}

func drawFig8Right(d *drawing) (*figures.Figure, error) {
	grid, err := outcome.GridOf(d.list)
	if err != nil {
		return nil, err
	}
	return figures.HeatMap(d.provenance, grid)
}

func drawGapByEpochs(d *drawing) (*figures.Figure, error) {
	gaps, err := outcome.GapsOf(d.list)
	if err != nil {
		return nil, err
	}
	return figures.GapByEpochs(d.provenance, gaps...)
}

func drawTable(tableOf func(*published.Paper, []*runs.Run) (figures.Table, error)) func(*drawing) (*figures.Figure, error) {
	return func(d *drawing) (*figures.Figure, error) {
		return d.table(tableOf(d.Paper, d.list))
	}
}

// drawResults draws results under a title of their own; the usual one if it is empty.
func drawResults(title string) func(*drawing) (*figures.Figure, error) {
	return func(d *drawing) (*figures.Figure, error) {
		t, err := figures.Results(d.list)
		t.Title = cmp.Or(title, t.Title)
		return d.table(t, err)
	}
}

func drawTimeToAccuracy(d *drawing) (*figures.Figure, error) {
	t, err := figures.TimeToAccuracy(d.list)
	if err != nil {
		return nil, err
	}
	d.cells = &t
	return figures.TimeToAccuracyFigure(d.list)
}

// table draws a table, with the note about the records, if there are any.
func (d *drawing) table(t figures.Table, err error) (*figures.Figure, error) {
	if err != nil {
		return nil, err
	}
	if d.note != "" {
		t.Provenance = t.Provenance.With(d.note)
	}
	d.cells = &t
	return t.Figure()
}

func drawStepTime(d *drawing) (*figures.Figure, error) {
	record, err := d.record(d.bench)
	if err != nil {
		return nil, err
	}
	return figures.StepTime(record)
}

func drawGates(draw func(figures.Provenance, *outcome.Gates) (*figures.Figure, error)) func(*drawing) (*figures.Figure, error) {
	return func(d *drawing) (*figures.Figure, error) {
		if len(d.list) != 1 {
			return nil, fmt.Errorf("%d runs are named: this figure is of one", len(d.list))
		}
		gates, err := outcome.GatesOf(d.list[0])
		if err != nil {
			return nil, err
		}
		return draw(d.provenance, gates)
	}
}
