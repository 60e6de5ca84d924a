package training

import (
	"fmt"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

// MaxDevices is the largest number of devices that a run may ask for; whether the machine has them is checked later.
const MaxDevices = 1024

// check returns the checked recipe, or an error of one sentence, before anything takes memory.
func (o Options) check() (none recipes.Checked, err error) {
	if o.MaxTime < 0 {
		return none, fmt.Errorf("the time limit %s is negative: give one such as 90m, or none", o.MaxTime)
	}
	if err := say.CheckRange("the number of devices", o.Devices, 0, MaxDevices); err != nil {
		return none, err
	}
	return o.Recipe.Check()
}
