package training

import (
	"fmt"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

// MaxDevices is the largest number of devices that a run may ask for; how many there are is asked afterwards.
const MaxDevices = 1024

// check returns the checked recipe, or says in one sentence what is wrong with the options, before anything takes memory.
func (o Options) check() (none recipes.Checked, err error) {
	if o.MaxTime < 0 {
		return none, fmt.Errorf("the time limit %s is negative: give one such as 90m, or none", o.MaxTime)
	}
	if err := say.CheckRange("the number of devices", o.Devices, 0, MaxDevices); err != nil {
		return none, err
	}
	return o.Recipe.Check()
}
