package outcome

import (
	"math"

	"stochdepth/toolkit/runs"
)

// Reach says how much training some runs need until their validation error is at most the lowest one of other runs with the
// same seeds: time to accuracy. Validation images say it, since test images are not evaluated after each epoch in all runs.
type Reach struct {
	Pairs   int      // seeds that both have
	Reached int      // of these, how many get there at all
	Steps   Estimate // of those that do: steps, as a fraction of what the others needed for their lowest error
	Time    Estimate // the same of the training time; N is 0 where the times cannot be compared
}

// Reach returns how soon the stochastic runs reach the lowest validation error of constant depth. Only runs of shared seeds are
// compared.
func (c Comparison) Reach() Reach { return reach(c.ConstantRuns, c.StochasticRuns) }

// ReachBack returns how soon the runs of constant depth reach the lowest validation error of the stochastic ones.
func (c Comparison) ReachBack() Reach { return reach(c.StochasticRuns, c.ConstantRuns) }

// reach says how soon the runs of a group reach what the goals reached.
func reach(goals, group []*runs.Run) (r Reach) {
	var steps, times []float64
	for _, run := range group {
		i := indexOfSeed(goals, run.Recipe.Seed)
		if i < 0 {
			continue
		}
		r.Pairs++
		goal := selected(goals[i])
		for _, row := range run.Rows {
			if row.ValidationError <= goal.ValidationError {
				r.Reached++
				steps = append(steps, float64(row.Step)/float64(goal.Step))
				times = append(times, row.Seconds/goal.Seconds)
				break
			}
		}
	}
	r.Steps = Average(steps...)
	r.Time = Estimate{Mean: math.NaN()}
	if OneMachine(goals, group) == nil {
		r.Time = Average(times...)
	}
	return r
}
