package network

import (
	"strings"

	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/optimizer"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
)

// With the recipe's ema a step also moves averages of the network's variables, the running averages of batch normalisation
// included. Evaluation takes the averages; training never does.

// averaged lists the variables that have averages.
func (m *Model) averaged() (list []*model.Variable) {
	for v := range m.Store.IterVariables() {
		if strings.HasPrefix(v.Scope(), model.ScopeSeparator+residual.Scope) && v.Name() != resnet.SurvivalVariable {
			list = append(list, v)
		}
	}
	return list
}

// swapAverages exchanges the values of the network's variables and of their averages, if there are any yet.
func (m *Model) swapAverages() error {
	for _, v := range m.averaged() {
		average := optimizer.AverageOf(m.Store, v)
		if average == nil {
			return nil
		}
		weights, err := v.Value()
		if err != nil {
			return err
		}
		averages, err := average.Value()
		if err != nil {
			return err
		}
		if err := v.SetValuePreservingOld(averages); err != nil {
			return err
		}
		if err := average.SetValuePreservingOld(weights); err != nil {
			return err
		}
	}
	return nil
}

// TakeAverages makes the averages of a recipe with ema, if there are any yet, the network's weights. Evaluation takes them
// anyway; [Model.Export] takes the weights.
func (m *Model) TakeAverages() error {
	if err := m.swapAverages(); err != nil {
		return err
	}
	return m.Store.DeleteVariablesInScope(model.ScopeSeparator + optimizer.AverageScope)
}
