package recipes

import (
	"fmt"
	"math"
	"slices"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/own"
)

// A program may add blocks (resnet.Register), survival rules and their schedules ([depth.RegisterRule],
// [depth.RegisterSchedule]), data sets ([dataset.Register]) and schedules of the learning rate ([RegisterRate]). Recipes name
// them, so a run keeps the name; what it stands for is known to the programs that add it.

var rates own.Registry[func(at float64) float64]

// ownRateSchedules are the project's own values of the key schedule.
var ownRateSchedules = []string{"steps", "cosine"}

// RegisterRate adds a schedule of the learning rate under a name, a value of the key schedule in recipes of this program: factor
// multiplies the rate when a part of the training after its warm-up, in [0, 1), is done. It must be finite and 0 or more.
func RegisterRate(name string, factor func(at float64) float64) error {
	for i := range 1000 {
		if at := float64(i) / 1000; !(factor(at) >= 0) || math.IsInf(factor(at), 0) {
			return fmt.Errorf("the schedule %q of the learning rate is %g at %g of the training: it multiplies the rate, so keep it 0 or more",
				name, factor(at), at)
		}
	}
	return rates.Add("schedule", name, factor, ownRateSchedules)
}

// RateFactor returns the registered schedule of the recipe's learning rate; nil if it has one of the project's own.
func (r Recipe) RateFactor() func(at float64) float64 {
	factor, _ := rates.Find(r.RateSchedule)
	return factor
}

// Own lists what the recipe names that is not the project's own, such as "block mine": whoever runs it must register it, and may
// change it under its name.
func (r Recipe) Own() (list []string) {
	for _, key := range []struct {
		name, value string
		known       []string
	}{
		{"dataset", setName(r.Dataset), dataset.Names()},
		{"block", r.Block, depth.Named()},
		{"rule", r.Rule, depth.Rules()},
		{"survival_schedule", r.SurvivalSchedule, depth.ScheduleKinds()},
		{"schedule", r.RateSchedule, append(ownRateSchedules[:2:2], "")},
	} {
		if !slices.Contains(key.known, key.value) {
			list = append(list, key.name+" "+key.value)
		}
	}
	return list
}
