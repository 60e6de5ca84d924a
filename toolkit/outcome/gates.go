package outcome

import (
	"fmt"
	"math"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs"
)

// Gates counts the gates of all minibatches of a run.
type Gates struct {
	Survival depth.Survival
	Steps    int64
	Open     []int64 // Open[l-1]: minibatches in which block l was open
	Counts   []int64 // Counts[k]: minibatches with k open blocks, k = 0..L
}

// GatesOf draws again the gates of all of a run's minibatches, which follow from its recipe, and checks them against the
// means in the run's log.
func GatesOf(run *runs.Run) (*Gates, error) {
	if run.Recipe.GatesPer != "minibatch" {
		return nil, fmt.Errorf("the run %s draws gates for each sample: only those of minibatches can be counted", run.Name)
	}
	if kind := run.Recipe.Schedule().Kind; kind != depth.Steady && !run.Recipe.IsConstant() {
		return nil, fmt.Errorf("the run %s changes its survival probabilities over the training (%s): "+
			"only gates of one expectation can be counted", run.Name, kind)
	}
	if len(run.Rows) == 0 {
		return nil, noEpoch(run)
	}
	survival, err := run.Recipe.Survival()
	if err != nil {
		return nil, fmt.Errorf("the run %s: %w", run.Name, err)
	}
	g := &Gates{Survival: survival, Open: make([]int64, len(survival)), Counts: make([]int64, len(survival)+1)}
	for _, row := range run.Rows {
		first, sum := g.Steps, 0
		for ; g.Steps < row.Step; g.Steps++ {
			sum += g.count(survival.Draw(depth.Rand(run.Recipe.Seed, depth.GateDraws, g.Steps)))
		}
		if mean := float64(sum) / float64(row.Step-first); math.Abs(mean-row.OpenBlocksMean) > 1e-6 {
			return nil, fmt.Errorf("the log of the run %s has %g open blocks on average up to step %d, its recipe gives %g: "+
				"they do not belong together",
				run.Name, row.OpenBlocksMean, row.Step, mean)
		}
	}
	return g, nil
}

// Simulate draws the gates of a number of minibatches, steps.
func Simulate(survival depth.Survival, steps, seed int64) *Gates {
	g := &Gates{Survival: survival, Open: make([]int64, len(survival)), Counts: make([]int64, len(survival)+1)}
	for ; g.Steps < steps; g.Steps++ {
		g.count(survival.Draw(depth.Rand(seed, depth.GateDraws, g.Steps)))
	}
	return g
}

// count adds the gates of a minibatch, without counting the step, and returns how many were open.
func (g *Gates) count(gates depth.Gates) int {
	for i, open := range gates {
		if open {
			g.Open[i]++
		}
	}
	open := gates.Open()
	g.Counts[open]++
	return open
}

// Expected is the probability of k = 0..L open blocks in a minibatch: the distribution of a sum of independent gates
// (Poisson's binomial distribution), computed block by block.
func (g *Gates) Expected() []float64 {
	p := make([]float64, len(g.Survival)+1)
	p[0] = 1
	for l, open := range g.Survival {
		for k := l + 1; k > 0; k-- {
			p[k] = p[k]*(1-open) + p[k-1]*open
		}
		p[0] *= 1 - open
	}
	return p
}

// Mean is the mean number of open blocks of the run.
func (g *Gates) Mean() float64 {
	var sum float64
	for k, n := range g.Counts {
		sum += float64(k) * float64(n) / float64(g.Steps)
	}
	return sum
}
