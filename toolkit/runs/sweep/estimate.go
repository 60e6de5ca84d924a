package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"time"

	"stochdepth/toolkit/runs/recipes"
)

// Probe is what a few steps of one network took.
type Probe struct {
	StepsPerEpoch   int64   `json:"steps_per_epoch"`
	StartSeconds    float64 `json:"start_seconds"`    // to load the data and build the network
	CompileSeconds  float64 `json:"compile_seconds"`  // of the step and the evaluation
	ClosedSeconds   float64 `json:"closed_seconds"`   // of a step with every block closed
	OpenSeconds     float64 `json:"open_seconds"`     // of a step with every block open
	EvaluateSeconds float64 `json:"evaluate_seconds"` // of one evaluation on the validation images
	TestSeconds     float64 `json:"test_seconds"`     // of one evaluation on the test images

	MemoryBytes int64 `json:"-"` // the process's largest size, on the host
}

// Seconds estimates the time of a run of the probed network, assuming that a step's time is linear in the number of
// blocks that it computes.
func (p Probe) Seconds(r recipes.Recipe) float64 {
	open, blocks := blocksComputed(r)
	step := p.ClosedSeconds + (p.OpenSeconds-p.ClosedSeconds)*open/float64(max(1, blocks))
	steps := int64(r.Epochs) * p.StepsPerEpoch
	evaluations := int64(r.Epochs)
	if r.EvaluateEvery > 0 {
		evaluations = (steps + int64(r.EvaluateEvery) - 1) / int64(r.EvaluateEvery)
	}
	tests := evaluations / int64(max(1, r.TestEvery))
	return p.StartSeconds + p.CompileSeconds + float64(steps)*step +
		float64(evaluations)*p.EvaluateSeconds + float64(tests)*p.TestSeconds
}

// blocksComputed returns how many blocks a step computes, averaged over the training, and the number of all blocks. With
// gates per sample a block is computed if any image of the minibatch opens it.
func blocksComputed(r recipes.Recipe) (computed float64, blocks int) {
	if r.GatesPer != "sample" {
		return r.ExpectedOpen()
	}
	survival, err := r.Survival()
	if err != nil {
		return 0, 0
	}
	for l, p := range survival {
		survival[l] = 1 - math.Pow(1-p, float64(r.BatchSize))
	}
	return r.Schedule().ExpectedOpen(survival), len(survival)
}

// Estimate is what a job will take on one worker that has the machine to itself.
type Estimate struct {
	Job
	Time   time.Duration
	Memory int64 // bytes on the host
}

// Estimate measures a few steps of each network in the sweep, and computes from them what each job takes. Each
// measurement is a process that command starts: it reads an [Order] and writes a [Probe]. before, if set, is called ahead
// of each measurement.
func (s *Sweep) Estimate(ctx context.Context, command []string, dataRoot string,
	before func(done, total int)) ([]Estimate, error) {
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
		seconds := probe.Seconds(job.Recipe)
		estimates[i] = Estimate{Job: job, Time: time.Duration(seconds * float64(time.Second)), Memory: probe.MemoryBytes}
	}
	return estimates, nil
}

// probeKey is equal for recipes whose steps and evaluations take equally long, apart from the number of open blocks. It
// is the recipe without the keys that determine how many blocks are open, how many steps there are, and which values the
// weights take. So a new key counts until it is known to make no difference.
func probeKey(r recipes.Recipe) string {
	r.Description, r.Seed = "", 0
	if !r.SubBatches() { // there these decide how many images each block computes
		r.Rule, r.DeathRate, r.SurvivalProbabilities, r.SurvivalSchedule, r.ScheduleFraction = "", 0, nil, "", 0
	}
	r.Epochs, r.EvaluateEvery, r.TestEvery = 0, 0, 0
	r.BatchNormScale, r.LearningRate, r.Milestones, r.WarmupEpochs, r.WarmupRate = "", 0, nil, 0, 0
	r.Momentum, r.WeightDecay, r.RateSchedule, r.Warmup, r.Betas = 0, 0, "", "", nil
	return fmt.Sprintf("%+v", r)
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

// Ask starts command as a process of its own, writes a question in JSON to its standard input, and reads its answer, in
// JSON too, from its standard output. If the process fails, the error is its message on standard error; of a crash, the
// first line.
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
