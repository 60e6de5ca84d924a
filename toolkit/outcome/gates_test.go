package outcome

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs"
)

// Poisson's binomial distribution against all gate patterns, and the draws against the run's log.
func TestGates(t *testing.T) {
	run := withGates(seeded(0.5, 12, 5)[0])
	g, err := GatesOf(run)
	require.NoError(t, err)
	want := make([]float64, len(g.Survival)+1)
	for pattern := range 1 << len(g.Survival) {
		p, open := 1.0, 0
		for l, survival := range g.Survival {
			if pattern>>l&1 == 1 {
				p *= survival
				open++
			} else {
				p *= 1 - survival
			}
		}
		want[open] += p
	}
	require.InDeltaSlice(t, want, g.Expected(), 1e-12)
	require.Equal(t, int64(16*12), g.Steps)
	require.InDelta(t, 6.5, g.Mean(), 0.5)
	var sum int64
	for k, n := range g.Counts {
		sum += int64(k) * n
	}
	for _, n := range g.Open {
		sum -= n
	}
	require.Zero(t, sum)

	run.Recipe.Seed++
	_, err = GatesOf(run)
	require.ErrorContains(t, err, "they do not belong together")
}

func TestSimulate(t *testing.T) {
	survival := depth.Linear(9, 0.5)
	gates := Simulate(survival, 20_000, 3)
	require.InDelta(t, survival.ExpectedOpen(), gates.Mean(), 5*survival.OpenDeviation()/math.Sqrt(20_000))
	var steps int64
	for _, n := range gates.Counts {
		steps += n
	}
	require.EqualValues(t, 20_000, steps)
	require.Equal(t, gates, Simulate(survival, 20_000, 3))
}

func TestGatesThatCannotBeCounted(t *testing.T) {
	sample, early := seeded(0.5, 3, 5)[0], seeded(0.5, 3, 5)[0]
	sample.Recipe.GatesPer, early.Recipe.SurvivalSchedule = "sample", "early"
	_, err := GatesOf(sample)
	require.EqualError(t, err, "the run stochastic-epochs=3-s1 draws gates for each sample: "+
		"only those of minibatches can be counted")
	_, err = GatesOf(early)
	require.EqualError(t, err, "the run stochastic-epochs=3-s1 changes its survival probabilities over the training (early): "+
		"only gates of one expectation can be counted")
}

// withGates fills in the mean numbers of open blocks that the run's recipe gives.
func withGates(run *runs.Run) *runs.Run {
	n, err := depth.BlocksPerGroup(run.Recipe.Depth)
	if err != nil {
		panic(err)
	}
	survival := depth.Linear(depth.Blocks(n), run.Recipe.DeathRate)
	step := int64(0)
	for i := range run.Rows {
		first, sum := step, 0
		for ; step < run.Rows[i].Step; step++ {
			sum += survival.Draw(depth.Rand(run.Recipe.Seed, depth.GateDraws, step)).Open()
		}
		run.Rows[i].OpenBlocksMean = float64(sum) / float64(step-first)
	}
	return run
}
