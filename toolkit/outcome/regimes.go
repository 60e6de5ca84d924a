package outcome

import (
	"cmp"
	"fmt"
	"slices"

	"stochdepth/toolkit/runs"
)

// Regimes compares each stochastic setting of the runs with constant depth of the same data, network and optimizer, and
// returns a list of comparisons for each regime. Regimes of one data set are in the order of depth and epochs. A setting
// without its counterpart is an error, as is what [Compare] refuses.
func Regimes(list []*runs.Run) ([][]Comparison, error) {
	constant, stochastic := Split(list)
	constants := BySetting(constant)
	var order []string // of the data sets, as they come; within each, depth and epochs ascend
	for _, group := range constants {
		order = append(order, DatasetName(group[0].Recipe))
	}
	slices.SortStableFunc(constants, func(a, b []*runs.Run) int {
		x, y := a[0].Recipe, b[0].Recipe
		return cmp.Or(cmp.Compare(slices.Index(order, DatasetName(x)), slices.Index(order, DatasetName(y))),
			cmp.Compare(x.Depth, y.Depth), cmp.Compare(x.Epochs, y.Epochs))
	})
	regimes := make([][]Comparison, len(constants))
	for _, group := range BySetting(stochastic) {
		i, err := Counterpart(constants, group)
		if err != nil {
			return nil, err
		}
		c, err := Compare(constants[i], group)
		if err != nil {
			return nil, err
		}
		regimes[i] = append(regimes[i], c)
	}
	for i, comparisons := range regimes {
		if len(comparisons) == 0 {
			return nil, fmt.Errorf("the run %s of constant depth has no run of stochastic depth with the same settings to "+
				"be compared with",
				constants[i][0].Name)
		}
	}
	return regimes, nil
}
