// Package sweep makes many runs from one file: a grid of recipes, as in the paper's Fig. 8. [Read] expands the file
// into named jobs, each an ordinary run folder; [Sweep.Status] says how far they are, and package outcome what came of
// them; [Sweep.Run] makes them by worker processes on this machine; [Sweep.Slurm] and [Sweep.Kubernetes] write what these
// engines need to make them on many machines. A run's lock lets only one process write it, so any number of processes may
// work on the same sweep, and interrupted runs go on.
//
// The package does not train and knows no GoMLX: a worker is a process of the command line, which calls [Work] or
// [Sweep.Task] with the [Trainer] of package worker.
package sweep

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Sweep is a sweep file, expanded.
type Sweep struct {
	Name        string // the name of its folder, with dashes for slashes
	Folder      string // of its runs, below the folder of all runs: the file's name without .json, or its key "name"
	Description string
	Path        string // the file
	Axes        []Axis // the grid, slowest first
	Jobs        []Job  // in the order in which they are started
}

// Axis is one key of the grid with its values, as text.
type Axis struct {
	Key    string
	Values []string
}

// Job is one run of a sweep.
type Job struct {
	Index  int            // in Sweep.Jobs, from 0
	Name   string         // of the run: folder, slash, and what varies in the grid
	Point  string         // the name without the seed: equal for jobs that differ in their seed alone
	Recipe recipes.Recipe // complete and valid
	Values []string       // of the sweep's axes
}

// dir is the run's folder below root. A sweep that was begun with dashes for slashes goes on with them.
func (j Job) dir(root string) string { return filepath.Join(root, runs.Begun(root, j.Name)) }

// Job returns the job with this name.
func (s *Sweep) Job(name string) (Job, bool) {
	for _, job := range s.Jobs {
		if job.Name == name {
			return job, true
		}
	}
	return Job{}, false
}

// Varies reports whether the key is an axis with more than one value.
func (s *Sweep) Varies(key string) bool {
	for _, axis := range s.Axes {
		if axis.Key == key {
			return len(axis.Values) > 1
		}
	}
	return false
}

// point names a point of the grid without its seed: the sweep's folder, data set if it varies, depth, rule and p_L, and
// other keys that vary, as key=value. An example is fig8-left/20-linear-0.5.
func (s *Sweep) point(r recipes.Recipe, values []string) string {
	var parts []string
	if s.Varies("dataset") {
		parts = append(parts, nameOf(r.Dataset))
	}
	parts = append(parts, strconv.Itoa(r.Depth), r.DepthName())
	for i, axis := range s.Axes {
		if isUsual(axis.Key) || r.IsConstant() && slices.Contains(recipes.StochasticKeys, axis.Key) {
			continue
		}
		parts = append(parts, axis.Key+"="+nameOf(values[i]))
	}
	return s.Folder + "/" + strings.Join(parts, "-")
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9.+=_-]+`)

// nameOf makes a value a part of a folder's name; a long value becomes its hash.
func nameOf(value string) string {
	name := notInNames.ReplaceAllString(strings.ReplaceAll(value, ",", "+"), "_")
	if len(name) > 24 || name == "" {
		return shortHash(value)
	}
	return name
}

// shortHash is a hash of a text, in eight digits.
func shortHash(text string) string {
	hash := fnv.New32a()
	hash.Write([]byte(text))
	return fmt.Sprintf("%08x", hash.Sum32())
}

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
