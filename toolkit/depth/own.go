package depth

import (
	"fmt"

	"stochdepth/toolkit/internal/own"
)

var (
	ownRules     own.Registry[func(blocks int, deathRate float64) Survival]
	ownSchedules own.Registry[func(at float64) float64]
)

// RegisterRule adds a survival rule under a name, for recipes of this program: rule returns the survival probabilities
// p_1..p_L of a network of this many blocks at a death rate from 0 to below 1, each in (0, 1]. Death rate 0 is constant depth,
// whatever the rule.
func RegisterRule(name string, rule func(blocks int, deathRate float64) Survival) error {
	return ownRules.Add("rule", name, rule, Rules())
}

// RegisterSchedule adds a schedule of the survival probabilities under a name, for recipes of this program: share is the
// factor, in [0, 1], that multiplies the death rates when a part of the training, in [0, 1), is done. The paper's is 1 from the
// first step to the last.
func RegisterSchedule(name string, share func(at float64) float64) error {
	for i := range pieces {
		if at := float64(i) / pieces; !(share(at) >= 0 && share(at) <= 1) {
			return fmt.Errorf("the schedule %q is %g at %g of the training: it multiplies death rates, so keep it in [0, 1]",
				name, share(at), at)
		}
	}
	return ownSchedules.Add("schedule", name, share, ScheduleKinds())
}

// ofOwnRule returns the probabilities of a registered rule, after checking them.
func ofOwnRule(name string, rule func(blocks int, deathRate float64) Survival, blocks int, deathRate float64) (Survival, error) {
	if deathRate == 0 {
		return Constant(blocks), nil
	}
	p := rule(blocks, deathRate)
	if len(p) != blocks {
		return nil, fmt.Errorf("the rule %q gives %d survival probabilities to %d blocks: give one to each", name, len(p), blocks)
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("the rule %q: %w", name, err)
	}
	return p, nil
}

// OwnRules lists the names that [RegisterRule] added.
func OwnRules() []string { return ownRules.Names() }

// OwnSchedules lists the names that [RegisterSchedule] added.
func OwnSchedules() []string { return ownSchedules.Names() }

// pieces of the training, over which the mean of a schedule is taken.
const pieces = 1000

// meanShare is the mean of a schedule over the training.
func meanShare(share func(at float64) float64) (mean float64) {
	for i := range pieces {
		mean += share((float64(i)+0.5)/pieces) / pieces
	}
	return mean
}
