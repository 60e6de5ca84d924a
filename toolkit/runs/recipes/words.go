package recipes

import "fmt"

// RuleName is the survival rule in a word: linear, uniform or list, and constant where no block ever closes.
func (r Recipe) RuleName() string {
	if r.IsConstant() {
		return "constant"
	}
	return r.Rule
}

// DepthName is the part of a run's name that says how blocks close: constant, list, or the rule and 1 - death_rate as in linear-0.5.
func (r Recipe) DepthName() string {
	switch name := r.RuleName(); name {
	case "constant", "list":
		return name
	default:
		return fmt.Sprintf("%s-%g", name, r.nominalSurvival())
	}
}

// Closing says how blocks close: "constant", "own survival probabilities", or rule and p_L as in "linear, p_L = 0.5",
// followed by what else differs from the paper's method, see [Recipe.Variant].
func (r Recipe) Closing() string {
	switch name := r.RuleName(); name {
	case "constant":
		return name
	case "list":
		return "own survival probabilities" + r.Variant()
	default:
		return fmt.Sprintf("%s, p_L = %g", name, r.LastSurvival()) + r.Variant()
	}
}

// Variant names what a recipe of stochastic depth does differently from the paper's method, apart from the rule, with a
// comma before each: ", early schedule".
func (r Recipe) Variant() string {
	var s string
	if r.SurvivalSchedule != Default().SurvivalSchedule {
		s += ", " + r.SurvivalSchedule + " schedule"
	}
	if r.GatesPer != "minibatch" {
		s += ", gates per " + r.GatesPer
	}
	if r.ScaleAt != "test" {
		s += ", scaled in training"
	}
	if r.FreezeClosed {
		s += ", closed blocks frozen"
	}
	return s
}
