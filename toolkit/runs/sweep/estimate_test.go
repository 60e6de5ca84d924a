package sweep

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs/recipes"
)

// A key of the recipe gets a measurement of its own, unless it is known to make no difference to a step.
func TestNetworksAreMeasuredApart(t *testing.T) {
	free := []string{"description", "seed", "rule", "death_rate", "survival_probabilities", "survival_schedule",
		"schedule_fraction", "epochs", "evaluate_every", "test_every", "batch_norm_scale", "learning_rate", "milestones",
		"warmup_epochs", "warmup_rate", "momentum", "weight_decay", "schedule", "warmup", "betas"}
	for _, key := range recipes.Keys() {
		a, b := recipes.Default(), recipes.Default()
		value := "3"
		if choices := recipes.Choices(key); len(choices) > 0 {
			i := slices.IndexFunc(choices, func(choice string) bool { return choice != a.Get(key) })
			value = choices[i]
		}
		require.NoError(t, b.Set(key, value))
		require.NotEqual(t, a.Get(key), b.Get(key))
		require.Equal(t, slices.Contains(free, key), probeKey(a) == probeKey(b), key)
	}
}

// With sub-batches the death rate decides what a step computes.
func TestSubBatchesAreMeasuredApart(t *testing.T) {
	a := recipes.Default()
	a.DeathRate, a.GatesPer = 0.5, "subbatch"
	b, other := a, a
	b.Seed, other.DeathRate = 7, 0.2
	require.Equal(t, probeKey(a), probeKey(b))
	require.NotEqual(t, probeKey(a), probeKey(other))
}

// Each kind of block has the time of its own measurement.
func TestEstimatesOfKinds(t *testing.T) {
	s, err := Read(write(t, "it", `{"recipe": "shapes", "set": {"epochs": 10, "depth": 20},
		"grid": {"block": ["basic", "transformer"], "death_rate": [0, 0.5], "rule": ["uniform"]}}`))
	require.NoError(t, err)
	measured := 0
	probe := `case $(cat) in *transformer*) s=9;; *) s=3;; esac; echo "{\"steps_per_epoch\": 2, \"closed_seconds\": 1, \"open_seconds\": $s}"`
	estimates, err := s.Estimate(t.Context(), []string{"sh", "-c", probe}, "", func(_, total int) {
		measured++
		require.Equal(t, 2, total)
	})
	require.NoError(t, err)
	require.Equal(t, 2, measured)
	seconds := make(map[string]time.Duration)
	for _, e := range estimates {
		seconds[e.Name] = e.Time / time.Second
	}
	require.Equal(t, map[string]time.Duration{
		"it/20-constant-block=basic-s1": 20 * 3, "it/20-uniform-0.5-block=basic-s1": 20 * 2,
		"it/20-constant-block=transformer-s1": 20 * 9, "it/20-uniform-0.5-block=transformer-s1": 20 * 5,
	}, seconds)
}

func TestWeightsAndBlocksComputed(t *testing.T) {
	r := recipes.Default()
	r.Dataset, r.Depth, r.Epochs, r.Rule, r.DeathRate = "shapes", 20, 2, "uniform", 0.5
	require.Equal(t, 2*8000*1024*(2+4.5), weight(r), "shapes are 8,000 unless the recipe says otherwise")
	r.SurvivalSchedule, r.ScheduleFraction = string(depth.Ramp), 1
	require.Equal(t, 2*8000*1024*(2+6.75), weight(r))
	r.TrainImages = 500
	require.Equal(t, 2*500*1024*(2+6.75), weight(r))
	r.ImageSize = 64
	require.Equal(t, 2*500*4096*(2+6.75), weight(r))
	r.ImageSize = 0
	r.TrainImages, r.SurvivalSchedule, r.Dataset = 0, string(depth.Steady), "svhn"
	require.Equal(t, 2*598_388*1024*(2+4.5), weight(r))

	r.GatesPer, r.BatchSize = "sample", 2
	computed, blocks := blocksComputed(r)
	require.Equal(t, 9, blocks)
	require.Equal(t, 9*0.75, computed, "a block is closed where both images close it")
}
