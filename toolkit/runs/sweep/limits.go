package sweep

import (
	"cmp"

	"stochdepth/toolkit/internal/say"
)

const (
	// MaxJobs is how many runs a sweep may have. Its grid is counted before it is expanded.
	MaxJobs = 100_000

	// MaxWorkers is how many runs may be made at the same time on one machine.
	MaxWorkers = 1024

	maxCPUs = 1 << 20 // of a task
	maxGPUs = 1024    // of a task

	maxArraySize = 4_000_001 // of any Slurm
)

func (o SlurmOptions) check() error {
	return cmp.Or(say.CheckRange("--cpus", o.CPUs, 0, maxCPUs),
		say.CheckRange("--gpus", o.GPUs, 0, maxGPUs), say.CheckRange("--at-once", o.AtOnce, 0, MaxJobs),
		say.CheckRange("--array-size", o.ArraySize, 0, maxArraySize))
}

func (o KubernetesOptions) check() error {
	return cmp.Or(say.CheckRange("--gpus", o.GPUs, 0, maxGPUs), say.CheckRange("--at-once", o.AtOnce, 0, MaxJobs))
}
