package sweep

import (
	"cmp"
	"errors"

	"stochdepth/toolkit/runs"
)

const (
	// MaxJobs is how many runs a sweep may have. Its grid is counted before it is expanded.
	MaxJobs = 100_000

	// MaxWorkers is how many runs may be made at the same time on one machine.
	MaxWorkers = 1024

	maxCPUs = 1 << 20 // of a task
	maxGPUs = 1024    // of a task
)

// countGrid returns an error for a grid with more combinations than MaxJobs.
func countGrid(axes []Axis) error {
	total := 1
	for _, axis := range axes {
		if total *= len(axis.Values); total > MaxJobs { // both are at most MaxJobs here: no overflow
			return errors.New("the grid has more than 100,000 combinations, the most that a sweep may have: give fewer values, or make several sweeps")
		}
	}
	return nil
}

func (o SlurmOptions) check() error {
	return cmp.Or(runs.CheckRange("--cpus", o.CPUs, 0, maxCPUs),
		runs.CheckRange("--gpus", o.GPUs, 0, maxGPUs), runs.CheckRange("--at-once", o.AtOnce, 0, MaxJobs))
}

func (o KubernetesOptions) check() error {
	return cmp.Or(runs.CheckRange("--gpus", o.GPUs, 0, maxGPUs), runs.CheckRange("--at-once", o.AtOnce, 0, MaxJobs))
}
