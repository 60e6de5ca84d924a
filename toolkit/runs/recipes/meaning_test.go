package recipes_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs/recipes"
)

func TestConstantDepth(t *testing.T) {
	r := recipes.Default()
	r.Depth, r.Rule = 14, "uniform"
	require.True(t, r.IsConstant())
	r.DeathRate = 0.2
	require.False(t, r.IsConstant())
	require.Equal(t, 0.8, r.LastSurvival())
	r.DeathRate = 0.9
	require.Equal(t, 0.1, r.LastSurvival())
	r.Rule, r.DeathRate, r.SurvivalProbabilities = "list", 0, []float64{1, 1, 1, 1, 1, 1}
	require.True(t, r.IsConstant(), "a list of ones")
	r.SurvivalProbabilities[5] = 0.5
	require.False(t, r.IsConstant())
	require.Equal(t, 0.5, r.LastSurvival())
}

// Variants of the method are different settings; at constant depth they are one.
func TestSameSetting(t *testing.T) {
	r := recipes.Default()
	r.Dataset, r.Depth, r.Epochs, r.DeathRate = "shapes", 14, 10, 0.2
	other := r
	other.Seed, other.Description = 7, "the same"
	require.True(t, recipes.SameSetting(r, other))
	for key, value := range map[string]string{"rule": "uniform", "death_rate": "0.3", "gates_per": "sample", "scale_at": "train",
		"freeze_closed": "true", "survival_schedule": "early", "epochs": "11"} {
		variant, constant, plain := r, r, r
		require.NoError(t, variant.Set(key, value))
		require.False(t, recipes.SameSetting(r, variant), key)
		plain.DeathRate, constant.DeathRate = 0, 0
		require.NoError(t, constant.Set(key, value))
		if key != "death_rate" {
			require.Equal(t, key != "epochs", recipes.SameSetting(plain, constant), "%s at constant depth", key)
		}
	}
	unused := r
	unused.Optimizer, unused.RateSchedule, unused.WeightDecayOf = "sgd", "steps", "all"
	require.True(t, recipes.SameSetting(r, unused), "the defaults by their names")
	adamw := r
	adamw.Optimizer, adamw.RateSchedule = "adamw", "cosine"
	require.False(t, recipes.SameSetting(r, adamw))
	unused = adamw
	unused.Momentum, unused.Milestones = 0, nil
	require.True(t, recipes.SameSetting(adamw, unused), "momentum of AdamW and milestones of a cosine")
	unused = r
	unused.ScheduleFraction = 0.9
	require.True(t, recipes.SameSetting(r, unused), "the fraction of a schedule that never changes")
}

func TestRateDrops(t *testing.T) {
	r := recipes.Default()
	for _, c := range []struct {
		epochs     int
		milestones []float64
		want       []int
	}{
		{500, []float64{0.5, 0.75}, []int{250, 375}},
		{100, []float64{0.55, 0.57}, []int{55, 57}}, // 0.55 * 100 = 55.00000000000001
		{5, []float64{0.5}, []int{3}},
		{3, nil, []int{}},
	} {
		r.Epochs, r.Milestones = c.epochs, c.milestones
		require.Equal(t, c.want, r.RateDrops())
	}
}

func TestTrainingInWords(t *testing.T) {
	r, err := recipes.Preset("cifar10-1202")
	require.NoError(t, err)
	require.Equal(t, "SGD with momentum 0.9, rate 0.1 after 10 epochs at 0.01, divided by 10 after epochs 150 and 225, weight decay 0.0001",
		r.Training())
	r.Optimizer, r.RateSchedule, r.LearningRate, r.WarmupEpochs, r.WeightDecayOf = "adamw", "cosine", 0.001, 0, "weights"
	r.LabelSmoothing, r.Mixup, r.CutMix, r.ClipGradient, r.EMA = 0.1, 0.8, 1, 5, 0.999
	require.Empty(t, r.RateDrops())
	require.Equal(t, "AdamW, rate 0.001, falling to 0 as a cosine, weight decay 0.0001 of weights only, gradients clipped to 5, "+
		"label smoothing 0.1, mixup 0.8, cutmix 1, averaged weights (ema 0.999)", r.Training())
	r.Betas, r.Warmup, r.WarmupEpochs, r.WarmupRate = []float64{0.8, 0.95}, "linear", 1, 0
	require.Contains(t, r.Training(), "AdamW with betas 0.8 and 0.95, rate 0.001 after 1 epoch rising from 0, falling to 0 as a cosine,")
}

func TestExpectedOpen(t *testing.T) {
	r := recipes.Default()
	r.Depth, r.DeathRate = 110, 0.5
	open, blocks := r.ExpectedOpen()
	require.Equal(t, 54, blocks)
	require.InDelta(t, 40.25, open, 1e-9)
	r.SurvivalSchedule, r.ScheduleFraction = string(depth.Early), 0.5
	open, _ = r.ExpectedOpen()
	require.InDelta(t, (40.25+54)/2, open, 1e-9)

	r.SurvivalSchedule, r.GatesPer, r.Depth, r.BatchSize = string(depth.Steady), "subbatch", 8, 10
	open, _ = r.ExpectedOpen()
	require.InDelta(t, 0.9+0.6+0.5, open, 1e-9, "images of ten, of 7, 5 and 4 eighths")
}

func TestSchedulesAreValidated(t *testing.T) {
	r, err := recipes.Preset("shapes")
	require.NoError(t, err)
	require.NoError(t, r.Set("survival_schedule", "early"))
	require.NoError(t, r.Validate())
	r.ScheduleFraction = 0
	require.ErrorContains(t, r.Validate(), "schedule_fraction 0 is outside (0, 1]")
	r.ScheduleFraction, r.SurvivalSchedule = 0.5, "earl"
	require.ErrorContains(t, r.Validate(), `survival_schedule "earl" is unknown (did you mean "early"?)`)
}
