package bench

import (
	"context"
	"fmt"
	"math"
)

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
