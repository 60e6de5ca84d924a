package gallery

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot/plotter"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
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
			panel := figures.Panel{Digits: 2}
			for _, constant := range []bool{true, false} {
				training := &figures.Training{}
				for _, part := range []struct {
					quantity string
					points   *plotter.XYs
				}{{published.TestError, &training.Error}, {published.TrainingLoss, &training.Loss}} {
					curve, err := d.Paper.Curve(source, network(constant, part.quantity))
					if err != nil {
						return nil, err
					}
					*part.points = xys(curve)
					panel.Title = fmt.Sprintf("%s, %d layers", curve.Dataset, curve.Layers)
				}
				epoch, err := d.Paper.Number(source, network(constant, published.SelectedEpoch))
				if err != nil {
					return nil, err
				}
				selected, err := d.Paper.Number(source, network(constant, published.TestError))
				if err != nil {
					return nil, err
				}
				training.Selected = plotter.XY{X: epoch.Value, Y: selected.Value}
				if constant {
					panel.Constant = []*figures.Training{training}
				} else {
					panel.Stochastic = []*figures.Training{training}
				}
			}
			panels = append(panels, panel)
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
	var swept outcome.SurvivalErrors
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
		return nil, err
	}
	swept.Constant, swept.Digits = outcome.Estimate{Mean: constant.Value, ReadOff: constant.ReadOff}, 2
	provenance := figures.ReadOff("CIFAR-10+, 110 layers. Hollow markers: read off the paper's drawing, to 0.01 " +
		"(uniform at 0.2: roughly, since the frame cuts its line; at 0.1 it is outside). " +
		"Speed-ups are printed there, and are the ratio of blocks to expected open blocks.")
	return figures.SurvivalSweep(provenance.Of("Fig. 8 left"), swept)
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
