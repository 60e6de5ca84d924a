package outcome

import (
	"fmt"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// seeded makes up runs of one setting with the seeds 1, 2, ... and the given selected test errors, each at the last
// epoch. The networks have nine blocks, of which deathRate times 5 are closed on average; an epoch takes ten seconds at
// constant depth.
func seeded(deathRate float64, epochs int, testErrors ...float64) []*runs.Run {
	var list []*runs.Run
	for i, e := range testErrors {
		recipe, err := recipes.Preset("quickstart")
		if err != nil {
			panic(err)
		}
		recipe.DeathRate, recipe.Epochs, recipe.Seed = deathRate, epochs, int64(i+1)
		kind := "constant"
		if deathRate > 0 {
			kind = "stochastic"
		}
		run := &runs.Run{Name: fmt.Sprintf("%s-epochs=%d-s%d", kind, epochs, i+1), Recipe: recipe,
			Result: &runs.Result{Session: runs.Session{Machine: "example machine", Device: "cpu"}}}
		for j := range epochs {
			run.Rows = append(run.Rows, runs.Row{Epoch: float64(j + 1), Step: int64(16 * (j + 1)), ValidationError: e + float64(epochs-j),
				TestError: e + float64(epochs-1-j), OpenBlocksMean: 9 - 5*deathRate, Seconds: 10 * float64(j+1) * (1 - deathRate/2)})
		}
		list = append(list, run)
	}
	return list
}
