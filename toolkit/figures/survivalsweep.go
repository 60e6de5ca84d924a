package figures

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs"
)

// SurvivalError is the test error, in percent, of a network trained with a survival probability p_L.
type SurvivalError struct {
	Survival float64 // p_L
	Error    Estimate
	SpeedUp  float64 // a label, such as the paper's three; 0: none
}

// SurvivalErrors are the errors of Fig. 8 left, by p_L. A rule without runs is empty; Constant's N may be 0 with a mean
// of NaN where there is no run.
type SurvivalErrors struct {
	Linear, Uniform []SurvivalError
	Constant        Estimate
	Digits          int // after the point of the errors that are written out
}

// SurvivalErrorsOf averages runs over seeds, by rule and p_L; the runs must differ in rule, p_L and seed only. The
// speed-ups, where the paper labels them, are computed as blocks over expected open blocks: they are what the paper's
// labels are, not measured times.
func SurvivalErrorsOf(list []*runs.Run) (SurvivalErrors, error) {
	errors := SurvivalErrors{Constant: Estimate{Mean: math.NaN()}}
	if err := sameSettings(list, "seed"); err != nil {
		return errors, err
	}
	for _, group := range bySetting(list) {
		e, err := estimateOf(group)
		if err != nil {
			return errors, err
		}
		errors.Digits = digitsOf(group[0].Recipe)
		point := SurvivalError{Survival: group[0].Recipe.LastSurvival(), Error: e}
		switch rule := group[0].Recipe.Rule; {
		case group[0].Recipe.IsConstant():
			errors.Constant = e
		case rule == "linear":
			errors.Linear = append(errors.Linear, point)
		case rule == "uniform":
			errors.Uniform = append(errors.Uniform, point)
		default:
			return errors, fmt.Errorf("the run %s has no p_L: its survival probabilities are a list", group[0].Name)
		}
	}
	n, err := depth.BlocksPerGroup(list[0].Recipe.Depth)
	if err != nil {
		return errors, err
	}
	for rule, points := range map[string][]SurvivalError{"linear": errors.Linear, "uniform": errors.Uniform} {
		slices.SortFunc(points, func(a, b SurvivalError) int { return cmp.Compare(a.Survival, b.Survival) })
		for i := range points {
			if p := points[i].Survival; p == 0.5 || p == 0.2 && rule == "linear" {
				survival, err := depth.ByRule(rule, depth.Blocks(n), 1-points[i].Survival, nil)
				if err != nil {
					return errors, err
				}
				points[i].SpeedUp = float64(len(survival)) / survival.ExpectedOpen()
			}
		}
	}
	return errors, nil
}

// all are the points of both rules.
func (s SurvivalErrors) all() []SurvivalError { return slices.Concat(s.Linear, s.Uniform) }

// best is the index of the lowest error of a rule's points, which must not be empty.
func best(points []SurvivalError) int {
	return slices.Index(points, slices.MinFunc(points, func(a, b SurvivalError) int { return cmp.Compare(a.Error.Mean, b.Error.Mean) }))
}

// SurvivalSweep draws Fig. 8 left: the test error by p_L, for the linear and the uniform rule, with a circle at
// the best point of each, which the legend tells, constant depth as a dashed line in the band of its standard deviation, and the
// speed-ups beside their points.
func SurvivalSweep(about About, errors SurvivalErrors) (*Figure, error) {
	all := errors.all()
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no network with stochastic depth to draw")
	}
	looks := map[string]look{"linear": stochasticLook.named("linear decay"), "uniform": uniformLook}
	dashed := look{"constant depth", red, nil, []vg.Length{4, 3}}
	if !math.IsNaN(errors.Constant.Mean) {
		dashed.name += ": " + percent(errors.Constant, errors.Digits)
	}
	readOff := false
	for _, point := range all {
		readOff = readOff || point.Error.ReadOff
	}
	if readOff {
		for rule := range looks {
			looks[rule] = looks[rule].readOff().named(looks[rule].name + " (read off)")
		}
	}
	var shown []look
	low, high := math.Inf(1), math.Inf(-1)
	include := func(e Estimate) { low, high = min(low, e.Mean-e.Deviation), max(high, e.Mean+e.Deviation) }
	for _, point := range all {
		include(point.Error)
	}
	withBest := func(l look, points []SurvivalError) look {
		p := points[best(points)]
		return l.named(fmt.Sprintf("%s: best %s at %s", l.name, percent(p.Error, errors.Digits), decimal(p.Survival)))
	}
	if len(errors.Linear) > 0 {
		shown = append(shown, withBest(looks["linear"], errors.Linear))
	}
	if len(errors.Uniform) > 0 {
		shown = append(shown, withBest(looks["uniform"], errors.Uniform))
	}
	if !math.IsNaN(errors.Constant.Mean) {
		include(errors.Constant)
		shown = append(shown, dashed)
	}
	s := sheet{headline: "Test error by survival probability", looks: shown, about: about}
	return s.figure(2.9*vg.Inch, func(c draw.Canvas) {
		c = title(c, "Test error (%)")
		p := newPlot()
		p.X.Min, p.X.Max = 0.05, 1.05
		p.X.Tick.Marker = plot.ConstantTicks(tenths())
		p.X.Label.Text = "survival probability of the last block (linear decay) or of all blocks (uniform rule)"
		room := max(high-low, 0.1)
		p.Y.Min, p.Y.Max = max(0, low-room*0.22), high+room*0.16
		if e := errors.Constant; e.Deviation > 0 { // behind all else
			area := p.DataCanvas(c)
			_, toY := p.Transforms(&area)
			box(c, area.Min.X, toY(max(p.Y.Min, e.Mean-e.Deviation)), area.Max.X, toY(e.Mean+e.Deviation), blush, nil, nil)
		}
		for _, rule := range []string{"linear", "uniform"} {
			points := map[string][]SurvivalError{"linear": errors.Linear, "uniform": errors.Uniform}[rule]
			var xys plotter.XYs
			for _, point := range points {
				xys = append(xys, plotter.XY{X: point.Survival, Y: point.Error.Mean})
			}
			if len(xys) > 0 && !math.IsNaN(errors.Constant.Mean) { // at p_L = 1 each rule is constant depth
				xys = append(xys, plotter.XY{X: 1, Y: errors.Constant.Mean})
			}
			addCurve(p, looks[rule], xys)
		}
		p.Draw(c)
		area := p.DataCanvas(c)
		toX, toY := p.Transforms(&area)
		if y := toY(errors.Constant.Mean); !math.IsNaN(errors.Constant.Mean) {
			c.StrokeLine2(dashed.line(), area.Min.X, y, area.Max.X, y)
			errorBar(c, toX(1), toY(errors.Constant.Mean-errors.Constant.Deviation), toY(errors.Constant.Mean+errors.Constant.Deviation), red)
		}
		for _, rule := range []string{"linear", "uniform"} {
			points := map[string][]SurvivalError{"linear": errors.Linear, "uniform": errors.Uniform}[rule]
			for i, point := range points {
				e, x := point.Error, toX(point.Survival)
				errorBar(c, x, toY(e.Mean-e.Deviation), toY(e.Mean+e.Deviation), looks[rule].color)
				if i == best(points) {
					ring(c, looks[rule].color, vg.Point{X: x, Y: toY(e.Mean)}, 5)
				}
				if point.SpeedUp > 0 {
					shift, end := vg.Length(-13), e.Mean-e.Deviation // linear decay is the lower one, mostly
					if rule == "uniform" {
						shift, end = 13, e.Mean+e.Deviation
					}
					label := fmt.Sprintf("%s× speed-up", decimal(math.Round(point.SpeedUp*100)/100))
					y := toY(end) + shift
					if constant := toY(errors.Constant.Mean); max(y-constant, constant-y) < 8 { // not on the dashed line
						y = constant + shift*0.7
					}
					halo(c, text(sans(smallSize), looks[rule].color), vg.Point{X: max(x, area.Min.X+32), Y: y}, label)
				}
			}
		}
	}), nil
}

// tenths are the ticks 0.1 to 1.
func tenths() []plot.Tick {
	var ticks []plot.Tick
	for i := 1; i <= 10; i++ {
		ticks = append(ticks, plot.Tick{Value: float64(i) / 10, Label: decimal(float64(i) / 10)})
	}
	return ticks
}
