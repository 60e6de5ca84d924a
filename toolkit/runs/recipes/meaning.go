package recipes

import (
	"fmt"
	"math"
	"slices"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
)

// The meaning of a recipe is defined here, for everybody: which survival probabilities it gives, whether its depth is
// constant, and when two recipes describe one experiment.

// Survival returns the survival probabilities p_1..p_L of the recipe's rule (Eq. 4 for the linear one), with sub-batches those
// that they are rounded to. A depth that no network of the recipe's blocks has, an unknown rule and probabilities outside
// (0, 1] are errors.
func (r Recipe) Survival() (depth.Survival, error) {
	groups, err := r.Groups()
	if err != nil {
		return nil, err
	}
	survival, err := depth.ByRule(r.Rule, groups, r.DeathRate, r.SurvivalProbabilities)
	if err == nil && r.SubBatches() && r.BatchSize > 0 {
		survival = survival.Shares(r.BatchSize)
	}
	return survival, err
}

// SubBatches reports whether a part of each minibatch goes through a block, whose size follows from its survival probability
// ([depth.Survival.Images]).
func (r Recipe) SubBatches() bool { return r.GatesPer == "subbatch" && !r.IsConstant() }

// Image returns the format of the images that the network gets. The recipe must name a data set.
func (r Recipe) Image() dataset.Format {
	set, _ := dataset.Find(r.Dataset)
	return sized(set.Format, r.ImageSize)
}

// Stored returns the format of the images in memory: larger than those of Image if crops are taken from them.
func (r Recipe) Stored() dataset.Format { return sized(r.Image(), r.ResizeSize) }

// DataOptions say how the recipe's data set is read from the folder root, see [dataset.Load].
func (r Recipe) DataOptions(root string) dataset.Options {
	return dataset.Options{Root: root, Seed: r.Seed, Size: r.Stored().Height, Resize: r.Resize, EXIF: r.EXIF,
		Train: r.TrainImages, Validation: r.ValidationImages, Test: r.TestImages}
}

// sized is the format with another side, if that is not 0.
func sized(f dataset.Format, side int) dataset.Format {
	if side != 0 {
		f.Height, f.Width = side, side
	}
	return f
}

// Schedule says how the survival probabilities change over the training.
func (r Recipe) Schedule() depth.Schedule {
	return depth.Schedule{Kind: depth.ScheduleKind(r.SurvivalSchedule), Fraction: r.ScheduleFraction}
}

// IsConstant reports whether no block ever closes: the network has constant depth.
func (r Recipe) IsConstant() bool {
	if r.Rule != "list" {
		return r.DeathRate == 0
	}
	return depth.Survival(r.SurvivalProbabilities).IsConstant()
}

// LastSurvival returns p_L, the survival probability of the last block, without the rounding error of 1 - (1 - p_L).
func (r Recipe) LastSurvival() float64 {
	if n := len(r.SurvivalProbabilities); r.Rule == "list" && n > 0 && !r.SubBatches() {
		return r.SurvivalProbabilities[n-1]
	}
	if r.Rule == "linear-short" || r.SubBatches() { // which do not reach the nominal rate
		if survival, err := r.Survival(); err == nil {
			return math.Round(survival[len(survival)-1]*1e9) / 1e9
		}
	}
	return r.nominalSurvival()
}

// nominalSurvival is 1 - death_rate without rounding noise: p_L under all rules but linear-short and list.
func (r Recipe) nominalSurvival() float64 { return math.Round((1-r.DeathRate)*1e9) / 1e9 }

// ExpectedOpen returns the expected number of open blocks of a minibatch, averaged over the training, and the number of
// all blocks, L. Both are 0 for an invalid recipe.
func (r Recipe) ExpectedOpen() (open float64, blocks int) {
	survival, err := r.Survival()
	if err != nil {
		return 0, 0
	}
	return r.Schedule().ExpectedOpen(survival), len(survival)
}

// RateDrops returns the epochs, counted from 0, at whose beginning the learning rate is divided by 10 once more: none if its
// schedule is another one. Products such as 0.55 * 100 = 55.00000000000001 count as the whole number that is meant.
func (r Recipe) RateDrops() []int {
	if !r.dropsRate() {
		return nil
	}
	drops := make([]int, len(r.Milestones))
	for i, fraction := range r.Milestones {
		drops[i] = int(math.Ceil(math.Round(fraction*float64(r.Epochs)*1e9) / 1e9))
	}
	return drops
}

// dropsRate reports whether the learning rate is divided at milestones, by the default schedule.
func (r Recipe) dropsRate() bool { return r.RateSchedule == "" || r.RateSchedule == "steps" }

// Mixes reports whether the recipe's training mixes images, by mixup or cutmix.
func (r Recipe) Mixes() bool { return r.Mixup > 0 || r.CutMix > 0 }

// Training says in words how the weights learn: "SGD with momentum 0.9, rate 0.1, divided by 10 after epochs 250 and 375,
// weight decay 0.0001".
func (r Recipe) Training() string {
	text := fmt.Sprintf("SGD with momentum %g", r.Momentum)
	if r.Optimizer == "adamw" {
		text = "AdamW"
		if len(r.Betas) == 2 {
			text += fmt.Sprintf(" with betas %g and %g", r.Betas[0], r.Betas[1])
		}
	}
	text += fmt.Sprintf(", rate %g", r.LearningRate)
	if r.WarmupEpochs > 0 {
		at := "at"
		if r.Warmup == "linear" {
			at = "rising from"
		}
		text += fmt.Sprintf(" after %d epoch%s %s %g", r.WarmupEpochs, say.Plural(r.WarmupEpochs), at, r.WarmupRate)
	}
	if drops := r.RateDrops(); len(drops) > 0 {
		text += ", divided by 10 after epochs " + say.Enumerate(drops)
	} else if r.RateSchedule == "cosine" {
		text += ", falling to 0 as a cosine"
	} else if !r.dropsRate() {
		text += ", by the schedule " + r.RateSchedule
	}
	text += fmt.Sprintf(", weight decay %g", r.WeightDecay)
	if r.WeightDecayOf == "weights" {
		text += " of weights only"
	}
	for _, more := range []struct {
		format string
		value  float64
	}{{"gradients clipped to %g", r.ClipGradient}, {"label smoothing %g", r.LabelSmoothing}, {"mixup %g", r.Mixup},
		{"cutmix %g", r.CutMix}, {"averaged weights (ema %g)", r.EMA}} {
		if more.value > 0 {
			text += ", " + fmt.Sprintf(more.format, more.value)
		}
	}
	return text
}

// StochasticKeys are the keys that say how blocks close. At constant depth they have no effect. Runs that differ only in
// these keys have the same data, network and optimizer, and may be compared.
var StochasticKeys = []string{"rule", "death_rate", "survival_probabilities", "survival_schedule", "schedule_fraction",
	"gates_per", "scale_at", "freeze_closed"}

// Canonical returns the recipe with the keys that have no effect at their defaults: all StochasticKeys at constant depth,
// the fraction of a schedule that never changes, momentum and milestones that nothing reads, defaults that are named, sizes
// that the images have anyway. Two runs have one setting if their canonical recipes differ in the seed only.
func (r Recipe) Canonical() Recipe {
	if r.IsConstant() {
		d := Default()
		r.Rule, r.DeathRate, r.SurvivalProbabilities = d.Rule, 0, nil
		r.SurvivalSchedule, r.GatesPer, r.ScaleAt, r.FreezeClosed = d.SurvivalSchedule, d.GatesPer, d.ScaleAt, d.FreezeClosed
	}
	if r.Schedule().Kind == depth.Steady {
		r.ScheduleFraction = Default().ScheduleFraction
	}
	if r.Optimizer == "adamw" {
		r.Momentum = Default().Momentum
		if slices.Equal(r.Betas, []float64{0.9, 0.999}) {
			r.Betas = nil
		}
	} else {
		r.Optimizer = ""
	}
	if r.dropsRate() {
		r.RateSchedule = ""
	} else {
		r.Milestones = Default().Milestones
	}
	if r.Encoder == "small" {
		r.Encoder = ""
	}
	if r.Warmup == "constant" || r.WarmupEpochs == 0 {
		r.Warmup = ""
	}
	if r.WeightDecayOf == "all" {
		r.WeightDecayOf = ""
	}
	if r.ResizeSize != 0 && r.ResizeSize == r.Image().Height {
		r.ResizeSize = 0
	}
	if own := (Recipe{Dataset: r.Dataset}); r.ImageSize != 0 && r.ImageSize == own.Image().Height {
		r.ImageSize = 0
	}
	return r
}

// SameSetting reports whether two recipes describe one experiment, apart from the seed.
func SameSetting(a, b Recipe) bool {
	a.Seed = b.Seed
	return len(Differences(a.Canonical(), b.Canonical())) == 0
}

// RuleName is the survival rule in a word, one of [depth.Rules], and constant where no block ever closes.
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
