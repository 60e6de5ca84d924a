package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"stochdepth/toolkit/runs"
)

// Probe is what a few steps of one network showed.
type Probe struct {
	StepsPerEpoch   int64   `json:"steps_per_epoch"`
	StartSeconds    float64 `json:"start_seconds"`    // to load the data and build the network
	CompileSeconds  float64 `json:"compile_seconds"`  // of the step and the evaluation
	ClosedSeconds   float64 `json:"closed_seconds"`   // of a step with every block closed
	OpenSeconds     float64 `json:"open_seconds"`     // of a step with every block open
	EvaluateSeconds float64 `json:"evaluate_seconds"` // of one evaluation on the validation images
	TestSeconds     float64 `json:"test_seconds"`     // of one evaluation on the test images

	MemoryBytes int64 `json:"-"` // the largest that the process grew to, on the host
}

// Seconds estimates the time of a run of the probed network. A step's time is taken as linear in the number of open
// blocks, and their expected number is the recipe's.
func (p Probe) Seconds(r runs.Recipe) float64 {
	open, blocks := r.ExpectedOpen()
	step := p.ClosedSeconds + (p.OpenSeconds-p.ClosedSeconds)*open/float64(max(1, blocks))
	steps := int64(r.Epochs) * p.StepsPerEpoch
	evaluations := int64(r.Epochs)
	if r.EvaluateEvery > 0 {
		evaluations = (steps + int64(r.EvaluateEvery) - 1) / int64(r.EvaluateEvery)
	}
	tests := evaluations / int64(max(1, r.TestEvery))
	return p.StartSeconds + p.CompileSeconds + float64(steps)*step + float64(evaluations)*p.EvaluateSeconds + float64(tests)*p.TestSeconds
}

// Estimate is what a job will take, on one worker that has the machine to itself.
type Estimate struct {
	Job
	Time   time.Duration
	Memory int64 // bytes on the host
}

// Estimate measures a few steps of each network in the sweep, in a process of its own that command starts (see
// [Order] for what it reads; it writes a [Probe]), and computes from them what each job takes. before, if set, is
// called ahead of each of the measurements.
func (s *Sweep) Estimate(ctx context.Context, command []string, dataRoot string, before func(done, total int)) ([]Estimate, error) {
	probes := make(map[string]Probe)
	total := make(map[string]bool)
	for _, job := range s.Jobs {
		total[probeKey(job.Recipe)] = true
	}
	estimates := make([]Estimate, len(s.Jobs))
	for i, job := range s.Jobs {
		key := probeKey(job.Recipe)
		probe, known := probes[key]
		if !known {
			if before != nil {
				before(len(probes), len(total))
			}
			var err error
			if probe, err = measure(ctx, command, Order{Name: job.Name, Recipe: job.Recipe, DataRoot: dataRoot}); err != nil {
				return nil, fmt.Errorf("cannot measure %s: %w", job.Name, err)
			}
			probes[key] = probe
		}
		estimates[i] = Estimate{Job: job, Time: time.Duration(probe.Seconds(job.Recipe) * float64(time.Second)), Memory: probe.MemoryBytes}
	}
	return estimates, nil
}

// probeKey is equal for recipes whose steps take equally long, but for the open blocks.
func probeKey(r runs.Recipe) string {
	return fmt.Sprint(r.Dataset, r.TrainImages, r.ValidationImages, r.TestImages, r.Depth, r.Form, r.GatesPer, r.DType, r.BatchSize, r.Augment, r.FreezeClosed, r.Recompute)
}

func measure(ctx context.Context, command []string, order Order) (Probe, error) {
	var probe Probe
	state, err := Ask(ctx, command, order, &probe)
	if err != nil {
		return Probe{}, err
	}
	probe.MemoryBytes = peakMemory(state)
	return probe, nil
}

// Ask starts command as a process of its own, tells it a question in JSON on its standard input, and reads its answer,
// in JSON too, from its standard output. Where it fails, the error is what it says on standard error, of a crash the
// line with which that begins.
func Ask(ctx context.Context, command []string, question, answer any) (*os.ProcessState, error) {
	data, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin = bytes.NewReader(append(data, '\n'))
	errorText := &reason{}
	cmd.Stderr = errorText
	out, err := cmd.Output()
	if err != nil {
		if text := errorText.String(); text != "" {
			return nil, fmt.Errorf("%s", strings.TrimPrefix(text, "stochdepth: "))
		}
		return nil, err
	}
	if err := json.Unmarshal(out, answer); err != nil {
		return nil, fmt.Errorf("the measurement gave no result: %w", err)
	}
	return cmd.ProcessState, nil
}
