package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// Taken is the raw result of one program, ours or another framework's, for a Spec. The program prints it as JSON.
type Taken struct {
	StepsMS          []float64 `json:"steps_ms"`           // of all steps, the Untimed ones first
	Losses           []float64 `json:"losses"`             // of the first steps, up to the second timed one
	PeakMB           float64   `json:"peak_mb"`            // most memory held by the process, over the steps
	EvaluationsMS    []float64 `json:"evaluations_ms"`     // of all Evaluations, or none
	EvaluationErrors float64   `json:"evaluation_errors"`  // images that the last evaluation classified wrongly
	CachedS          float64   `json:"cached_s,omitempty"` // see [Measurement]
	Version          string    `json:"version,omitempty"`  // of the framework; that of our program is in the record
}

// Measurement makes a measurement from a program's raw result, in the same way for all programs.
func (c Case) Measurement(t Taken) (Measurement, error) {
	gates, err := c.Gates()
	if err != nil {
		return Measurement{}, err
	}
	system, mode := c.program()
	if len(t.StepsMS) != len(gates) || len(t.Losses) != min(len(gates), Losses) {
		return Measurement{}, fmt.Errorf("%s %s reported %d times and %d losses for %d steps",
			system, mode, len(t.StepsMS), len(t.Losses), len(gates))
	}
	m := Measurement{
		System: system, Mode: mode, DType: c.DType, Network: c.Network, ImageSize: c.ImageSize, Block: c.Block, Layers: c.Layers,
		Batch:     c.Batch,
		DeathRate: c.DeathRate, Fixed: c.Fixed, Blocks: len(gates[0]), Steps: c.Steps,
		CompileS: max(0, t.StepsMS[0]-t.StepsMS[1]+t.StepsMS[2]-t.StepsMS[3]) / 1e3, CachedS: t.CachedS,
		PeakMB: t.PeakMB, Loss: t.Losses[2],
	}
	var perBlock []float64
	times := t.StepsMS[Untimed:]
	for i, ms := range times {
		open := float64(gates[Untimed+i].Open())
		m.Open += open
		if open > 0 {
			perBlock = append(perBlock, ms/open)
		}
	}
	m.Open /= float64(c.Steps)
	m.StepMS, m.LowMS, m.HighMS = Median(times), slices.Min(times), slices.Max(times)
	if len(perBlock) > 0 {
		m.BlockMS = Median(perBlock)
	}
	if c.Evaluate {
		if len(t.EvaluationsMS) != Evaluations {
			return Measurement{}, fmt.Errorf("%s %s reported the times of %d evaluations instead of %d",
				system, mode, len(t.EvaluationsMS), Evaluations)
		}
		m.Evaluation = EvaluationImages / Median(t.EvaluationsMS[1:]) * 1e3
	}
	return m, nil
}

// Take takes one measurement.
type Take func(context.Context, Case) (Measurement, error)

// TakeTurns takes the measurements of all cases, one after the other, several rounds of them, and joins those of each case.
// In this way a machine whose speed drifts treats all cases alike. report is called after each measurement; done counts
// from 1. It is an error if programs that should compute the same network compute different losses.
func TakeTurns(ctx context.Context, cases []Case, rounds int, take Take,
	report func(done, total int, c Case, m Measurement)) ([]Measurement, error) {
	taken := make([][]Measurement, len(cases))
	var all []Measurement
	for round := range rounds {
		for i, c := range cases {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			m, err := take(ctx, c)
			if err == nil {
				err = sameLoss(all, m)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name(), err)
			}
			taken[i], all = append(taken[i], m), append(all, m)
			report(round*len(cases)+i+1, rounds*len(cases), c, m)
		}
	}
	joined := make([]Measurement, len(cases))
	for i := range cases {
		joined[i] = Join(taken[i])
	}
	return joined, nil
}

// sameLoss returns an error if the loss of a measurement differs from that of an earlier one of the same network.
func sameLoss(before []Measurement, m Measurement) error {
	tolerance := 1e-4
	if m.DType != "float32" && m.DType != "float64" {
		tolerance = 2e-2
	}
	for _, other := range before {
		if m.sameNetwork(other) && !(math.Abs(m.Loss-other.Loss) <= tolerance*max(1, other.Loss)) {
			return fmt.Errorf("the loss of the first minibatch is %.6g, but %.6g by %s %s: they do not compute the same network",
				m.Loss, other.Loss, other.System, other.Mode)
		}
	}
	return nil
}
