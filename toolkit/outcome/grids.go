package outcome

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"stochdepth/toolkit/runs"
)

// gridPoint is the first run of a setting with the test error of all its seeds.
type gridPoint struct {
	*runs.Run
	Estimate
}

// gridPoints averages runs over seeds. They may differ only in the survival rule, the seed and the named keys, not in
// other ways in which blocks close.
func gridPoints(list []*runs.Run, keys ...string) (points []gridPoint, err error) {
	if err := sameSettings(list, append(keys, "seed")...); err != nil {
		return nil, err
	}
	if err := sameMethod(list); err != nil {
		return nil, err
	}
	for _, group := range BySetting(list) {
		e, err := MeanOf(TestError, group)
		if err != nil {
			return nil, err
		}
		points = append(points, gridPoint{group[0], e})
	}
	return points, nil
}

// DepthErrors are the errors of the networks of one depth; a network that is missing has N 0 and a mean of NaN.
type DepthErrors struct {
	Layers               int
	Constant, Stochastic Estimate // test error, percent
}

// DepthErrorsOf averages runs over seeds, by depth. The runs may differ only in depth, survival rule and seed, not in
// other ways in which blocks close, and each depth may have one stochastic setting.
func DepthErrorsOf(list []*runs.Run) ([]DepthErrors, error) {
	points, err := gridPoints(list, "depth")
	if err != nil {
		return nil, err
	}
	depths := map[int]*DepthErrors{}
	for _, p := range points {
		layers := p.Recipe.Depth
		if depths[layers] == nil {
			missing := Estimate{Mean: math.NaN()}
			depths[layers] = &DepthErrors{layers, missing, missing}
		}
		kind := &depths[layers].Stochastic
		if p.Recipe.IsConstant() {
			kind = &depths[layers].Constant
		}
		if kind.N > 0 {
			return nil, fmt.Errorf("the runs have more than one stochastic setting at %d layers: name those of one", layers)
		}
		*kind = p.Estimate
	}
	var sorted []DepthErrors
	for _, layers := range slices.Sorted(maps.Keys(depths)) {
		sorted = append(sorted, *depths[layers])
	}
	return sorted, nil
}

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
	Digits          int // after the point, in errors that are written out
}

// SurvivalErrorsOf averages runs over seeds, by rule and p_L; the runs may differ only in rule, p_L and seed. The
// speed-ups, where the paper labels them, are computed as blocks over expected open blocks, averaged over the training.
// That is what the paper's labels are: no measured times.
func SurvivalErrorsOf(list []*runs.Run) (SurvivalErrors, error) {
	swept := SurvivalErrors{Constant: Estimate{Mean: math.NaN()}}
	points, err := gridPoints(list)
	if err != nil {
		return swept, err
	}
	for _, p := range points {
		r := p.Recipe
		swept.Digits = Digits(r)
		point := SurvivalError{Survival: r.LastSurvival(), Error: p.Estimate}
		if at := point.Survival; at == 0.5 || at == 0.2 && r.Rule == "linear" {
			open, blocks := r.ExpectedOpen()
			point.SpeedUp = float64(blocks) / open
		}
		switch r.RuleName() {
		case "constant":
			swept.Constant = p.Estimate
		case "linear":
			swept.Linear = append(swept.Linear, point)
		case "uniform":
			swept.Uniform = append(swept.Uniform, point)
		case "list":
			return swept, fmt.Errorf("the run %s has no p_L: its survival probabilities are a list", p.Name)
		default:
			return swept, fmt.Errorf("the run %s has the rule %s: the figure is for linear and uniform", p.Name, r.Rule)
		}
	}
	for _, points := range [][]SurvivalError{swept.Linear, swept.Uniform} {
		slices.SortFunc(points, func(a, b SurvivalError) int { return cmp.Compare(a.Survival, b.Survival) })
	}
	return swept, nil
}

// Grid is the test error, in percent, by depth and p_L. Errors[i][j] belongs to Survival[i] and Layers[j]; its mean is
// NaN where there is no run.
type Grid struct {
	Layers   []int
	Survival []float64 // p_L, from the top row to the bottom
	Errors   [][]Estimate
}

// GridOf averages runs over seeds, by depth and p_L. The runs must have constant depth or the linear rule, and may differ
// only in depth, p_L and seed, not in other ways in which blocks close (such as a schedule). Settings without a run are
// left empty.
func GridOf(list []*runs.Run) (Grid, error) {
	var g Grid
	points, err := gridPoints(list, "depth")
	if err != nil {
		return g, err
	}
	type cell struct {
		layers   int
		survival float64
	}
	cells := map[cell]Estimate{}
	for _, p := range points {
		if rule := p.Recipe.RuleName(); rule != "linear" && rule != "constant" {
			return g, fmt.Errorf("the run %s has the %s rule: the grid is for the linear rule", p.Name, rule)
		}
		at := cell{p.Recipe.Depth, p.Recipe.LastSurvival()}
		cells[at] = p.Estimate
		g.Layers, g.Survival = append(g.Layers, at.layers), append(g.Survival, at.survival)
	}
	slices.Sort(g.Layers)
	g.Layers = slices.Compact(g.Layers)
	slices.Sort(g.Survival)
	g.Survival = slices.Compact(g.Survival)
	slices.Reverse(g.Survival)
	for _, survival := range g.Survival {
		row := make([]Estimate, len(g.Layers))
		for j, layers := range g.Layers {
			row[j] = Estimate{Mean: math.NaN()}
			if e, ok := cells[cell{layers, survival}]; ok {
				row[j] = e
			}
		}
		g.Errors = append(g.Errors, row)
	}
	return g, nil
}

// Best reports whether a cell is the lowest of its column, if that has others.
func (g Grid) Best(i, j int) bool {
	others := 0
	for k := range g.Errors {
		if v := g.Errors[k][j].Mean; !math.IsNaN(v) {
			others++
			if v < g.Errors[i][j].Mean {
				return false
			}
		}
	}
	return others > 1
}
