package gallery

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot/plotter"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/outcome/published"
)

// The paper's figures, redrawn from published.json.

const readOff = "Curves and selected epochs are read off the paper's vector drawing."

// network is the key of the paper's network at a death rate of 0 or, with the linear rule, 0.5.
func network(constant bool, quantity string) published.Key {
	if constant {
		return published.Key{Quantity: quantity, Method: published.Network, Survival: 1}
	}
	return published.Key{Quantity: quantity, Method: published.Network, Rule: "linear", Survival: 0.5}
}

// drawPaperFig2 has the paper's closed blocks, 3 and 5.
func drawPaperFig2(*drawing) (*figures.Figure, error) {
	return figures.StochasticDepth(depth.Linear(5, 0.5), depth.Gates{true, true, false, true, false},
		figures.Published("").Of("Fig. 2"))
}

func drawPaperCurves(sources ...string) func(*drawing) (*figures.Figure, error) {
	return func(d *drawing) (*figures.Figure, error) {
		var panels []figures.Panel
		for _, source := range sources {
			trainings, shown, err := d.publishedTrainings(source)
			if err != nil {
				return nil, err
			}
			panels = append(panels, figures.Panel{Title: fmt.Sprintf("%s, %d layers", shown.Dataset, shown.Layers), Digits: 2,
				Constant: trainings[:1], Stochastic: trainings[1:]})
		}
		provenance := figures.ReadOff(readOff + " The errors beside the circles are printed there; " +
			"Table 1 has 27.76 % for CIFAR-100+ at constant depth, where Fig. 3 has 27.88 %.")
		if sources[0] != "Fig. 3 left" {
			provenance = figures.ReadOff(readOff + " The errors beside the circles are printed there.")
		}
		name, _, _ := strings.Cut(sources[0], " left")
		return figures.TrainingCurves(provenance.Of(name), panels...)
	}
}

// publishedTrainings are the paper's curves of constant and of stochastic depth in a figure, and what network they are of.
func (d *drawing) publishedTrainings(source string) (trainings []*figures.Training, shown published.Key, err error) {
	for _, constant := range []bool{true, false} {
		training := &figures.Training{}
		for _, part := range []struct {
			quantity string
			points   *plotter.XYs
		}{{published.TestError, &training.Error}, {published.TrainingLoss, &training.Loss}} {
			curve, err := d.Paper.Curve(source, network(constant, part.quantity))
			if err != nil {
				return nil, shown, err
			}
			*part.points, shown = xys(curve), curve.Key
		}
		epoch, err := d.Paper.Number(source, network(constant, published.SelectedEpoch))
		if err != nil {
			return nil, shown, err
		}
		selected, err := d.Paper.Number(source, network(constant, published.TestError))
		if err != nil {
			return nil, shown, err
		}
		training.Selected = plotter.XY{X: epoch.Value, Y: selected.Value}
		trainings = append(trainings, training)
	}
	return trainings, shown, nil
}

// addPublished adds the paper's curves to panels of runs of the same data sets, augmented or not, and says so.
func (d *drawing) addPublished(panels []figures.Panel) (figures.Provenance, error) {
	var said []string
	for i, panel := range panels {
		for _, source := range d.beside {
			trainings, shown, err := d.publishedTrainings(source)
			if err != nil {
				return d.provenance, err
			}
			if strings.TrimSuffix(shown.Dataset, "+") == strings.TrimSuffix(panel.Dataset, "+") {
				panels[i].Published = [2]*figures.Training(trainings)
				said = append(said, fmt.Sprintf("%s of the paper (%s, %d layers)", source, shown.Dataset, shown.Layers))
			}
		}
		if panels[i].Published[0] == nil {
			return d.provenance, fmt.Errorf("the paper has no curves of %s here: leave out --published", panel.Dataset)
		}
	}
	return d.provenance.With("Pale, published: " + say.Enumerate(said) + ", read off its drawing. The others: our runs."), nil
}

func xys(curve published.Curve) plotter.XYs {
	points := make(plotter.XYs, len(curve.Points))
	for i, p := range curve.Points {
		points[i] = plotter.XY{X: p[0], Y: p[1]}
	}
	return points
}

func drawPaperFig5(d *drawing) (*figures.Figure, error) {
	var bars []outcome.DepthErrors
	for _, layers := range []int{110, 1202} {
		bar := outcome.DepthErrors{Layers: layers}
		for _, constant := range []bool{true, false} {
			k := network(constant, published.TestError)
			k.Layers = layers
			n, err := d.Paper.Number("Fig. 5", k)
			if err != nil {
				return nil, err
			}
			if constant {
				bar.Constant.Mean = n.Value
			} else {
				bar.Stochastic.Mean = n.Value
			}
		}
		bars = append(bars, bar)
	}
	provenance := figures.Published("CIFAR-10+; linear decay, p_L = 0.5; one run each. Arrows: change from 110 layers.")
	return figures.DepthBars(provenance.Of("Fig. 5"), bars...)
}

func drawPaperFig6(d *drawing) (*figures.Figure, error) {
	curves := []figures.ErrorCurve{{Name: "constant depth", Constant: true}, {Name: "stochastic depth"}}
	for i := range curves {
		k := network(curves[i].Constant, published.ValidationError)
		curve, err := d.Paper.Curve("Fig. 6", k)
		if err != nil {
			return nil, err
		}
		curves[i].Seeds = []plotter.XYs{xys(curve)}
		for _, k.Epoch = range []float64{90, 120} {
			n, err := d.Paper.Number("text", k)
			if err != nil {
				return nil, err
			}
			curves[i].Printed = append(curves[i].Printed, plotter.XY{X: k.Epoch, Y: n.Value})
		}
	}
	provenance := figures.ReadOff("ImageNet, 152 layers; linear decay, p_L = 0.5. " +
		"The curves are read off the paper's vector drawing; " +
		"the errors beside the circles, after 90 and 120 epochs, are printed in the text. " +
		"This project has no run on ImageNet.")
	return figures.ErrorCurves(provenance.Of("Fig. 6"), "Validation error on ImageNet", 85, curves...)
}

func drawPaperFig7(d *drawing) (*figures.Figure, error) {
	var curves [2][]plotter.XYs
	for i, constant := range []bool{true, false} {
		curve, err := d.Paper.Curve("Fig. 7", network(constant, published.GradientMagnitude))
		if err != nil {
			return nil, err
		}
		curves[i] = []plotter.XYs{xys(curve)}
	}
	provenance := figures.ReadOff("First convolution of the first block, 110 layers, CIFAR-10+; linear decay, p_L = 0.5. " +
		"The curves are read off the paper's vector drawing.")
	return figures.Gradients(provenance.Of("Fig. 7"), curves, []float64{250, 375})
}

func drawPaperFig8Left(d *drawing) (*figures.Figure, error) {
	swept, err := d.publishedSweep()
	if err != nil {
		return nil, err
	}
	provenance := figures.ReadOff("CIFAR-10+, 110 layers. Hollow markers: read off the paper's drawing, to 0.01 " +
		"(uniform at 0.2: roughly, since the frame cuts its line; at 0.1 it is outside). " +
		"Speed-ups are printed there, and are the ratio of blocks to expected open blocks.")
	return figures.SurvivalSweep(provenance.Of("Fig. 8 left"), swept)
}

// publishedSweep is the paper's Fig. 8 left.
func (d *drawing) publishedSweep() (swept outcome.SurvivalErrors, err error) {
	points := func(rule string) []outcome.SurvivalError {
		var list []outcome.SurvivalError
		for _, n := range d.Paper.Find("Fig. 8 left", published.Key{Quantity: published.TestError, Rule: rule}) {
			point := outcome.SurvivalError{Survival: n.Survival, Error: outcome.Estimate{Mean: n.Value, ReadOff: n.ReadOff}}
			k := published.Key{Quantity: published.SpeedUp, Rule: rule, Survival: n.Survival}
			if speed, err := d.Paper.Number("Fig. 8 left", k); err == nil {
				point.SpeedUp = speed.Value
			}
			list = append(list, point)
		}
		return list
	}
	swept.Linear, swept.Uniform = points("linear"), points("uniform")
	constant, err := d.Paper.Number("Fig. 8 left", published.Key{Quantity: published.TestError, Survival: 1})
	if err != nil {
		return swept, err
	}
	swept.Constant, swept.Digits = outcome.Estimate{Mean: constant.Value, ReadOff: constant.ReadOff}, 2
	return swept, nil
}

func drawPaperFig8Right(d *drawing) (*figures.Figure, error) {
	g := outcome.Grid{Layers: []int{20, 38, 56, 74, 92, 110}, Survival: []float64{1, 0.9, 0.8, 0.7, 0.6, 0.5}}
	for _, survival := range g.Survival {
		var row []outcome.Estimate
		for _, layers := range g.Layers {
			n, err := d.Paper.Number("Fig. 8 right", published.Key{Layers: layers, Survival: survival})
			if err != nil {
				return nil, err
			}
			row = append(row, outcome.Estimate{Mean: n.Value})
		}
		g.Errors = append(g.Errors, row)
	}
	provenance := figures.Published("CIFAR-10+, linear decay; p_L = 1 is constant depth. " +
		"All numbers are printed in the paper's figure.")
	return figures.HeatMap(provenance.Of("Fig. 8 right"), g)
}

func drawPaperTable(tableOf func(*published.Paper) (figures.Table, error)) func(*drawing) (*figures.Figure, error) {
	return func(d *drawing) (*figures.Figure, error) {
		return d.table(tableOf(d.Paper))
	}
}
