package outcome

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"stochdepth/toolkit/runs"
)

// DepthErrors are the errors of the networks of one depth; a network that is missing has N 0 and a mean of NaN.
type DepthErrors struct {
	Layers               int
	Constant, Stochastic Estimate // test error, percent
}

// DepthErrorsOf averages runs over seeds, by depth. The runs must differ in depth, survival rule and seed only, with one
// stochastic setting a depth, and not in how else blocks close.
func DepthErrorsOf(list []*runs.Run) ([]DepthErrors, error) {
	if err := sameSettings(list, "depth", "seed"); err != nil {
		return nil, err
	}
	if err := sameMethod(list); err != nil {
		return nil, err
	}
	depths := map[int]*DepthErrors{}
	for _, group := range BySetting(list) {
		e, err := MeanOf(TestError, group)
		if err != nil {
			return nil, err
		}
		layers := group[0].Recipe.Depth
		if depths[layers] == nil {
			missing := Estimate{Mean: math.NaN()}
			depths[layers] = &DepthErrors{layers, missing, missing}
		}
		kind := &depths[layers].Stochastic
		if group[0].Recipe.IsConstant() {
			kind = &depths[layers].Constant
		}
		if kind.N > 0 {
			return nil, fmt.Errorf("the runs have more than one stochastic setting at %d layers: name those of one", layers)
		}
		*kind = e
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
	Digits          int // after the point of the errors that are written out
}

// SurvivalErrorsOf averages runs over seeds, by rule and p_L; the runs must differ in rule, p_L and seed only. The
// speed-ups, where the paper labels them, are computed as blocks over expected open blocks, averaged over the training:
// they are what the paper's labels are, not measured times.
func SurvivalErrorsOf(list []*runs.Run) (SurvivalErrors, error) {
	swept := SurvivalErrors{Constant: Estimate{Mean: math.NaN()}}
	if err := sameSettings(list, "seed"); err != nil {
		return swept, err
	}
	if err := sameMethod(list); err != nil {
		return swept, err
	}
	for _, group := range BySetting(list) {
		e, err := MeanOf(TestError, group)
		if err != nil {
			return swept, err
		}
		swept.Digits = Digits(group[0].Recipe)
		point := SurvivalError{Survival: group[0].Recipe.LastSurvival(), Error: e}
		rule := group[0].Recipe.Rule
		if p := point.Survival; p == 0.5 || p == 0.2 && rule == "linear" {
			open, blocks := group[0].Recipe.ExpectedOpen()
			point.SpeedUp = float64(blocks) / open
		}
		switch {
		case group[0].Recipe.IsConstant():
			swept.Constant = e
		case rule == "linear":
			swept.Linear = append(swept.Linear, point)
		case rule == "uniform":
			swept.Uniform = append(swept.Uniform, point)
		default:
			return swept, fmt.Errorf("the run %s has no p_L: its survival probabilities are a list", group[0].Name)
		}
	}
	for _, points := range [][]SurvivalError{swept.Linear, swept.Uniform} {
		slices.SortFunc(points, func(a, b SurvivalError) int { return cmp.Compare(a.Survival, b.Survival) })
	}
	return swept, nil
}

// Grid is the test error, in percent, by depth and p_L. Errors[i][j] is of Survival[i] and Layers[j]; the mean is NaN
// where there is no run.
type Grid struct {
	Layers   []int
	Survival []float64 // p_L, from the top row to the bottom
	Errors   [][]Estimate
}

// GridOf averages runs over seeds, by depth and p_L. The runs must be of constant depth or of the linear rule, and
// differ in depth, p_L and seed only, not in how else blocks close (by a schedule, say). Settings without a run are left
// empty.
func GridOf(list []*runs.Run) (Grid, error) {
	var g Grid
	if err := sameSettings(list, "depth", "seed"); err != nil {
		return g, err
	}
	if err := sameMethod(list); err != nil {
		return g, err
	}
	type cell struct {
		layers   int
		survival float64
	}
	cells := map[cell]Estimate{}
	for _, group := range BySetting(list) {
		r := group[0].Recipe
		if r.Rule != "linear" && !group[0].Recipe.IsConstant() {
			return g, fmt.Errorf("the run %s has the %s rule: the grid is of the linear one", group[0].Name, r.Rule)
		}
		e, err := MeanOf(TestError, group)
		if err != nil {
			return g, err
		}
		at := cell{r.Depth, group[0].Recipe.LastSurvival()}
		cells[at] = e
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

// Best reports whether a cell is the lowest of its column, which has others.
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
