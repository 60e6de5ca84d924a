package depth_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
)

// The probabilities at some steps, computed by hand: p = (0.9, 0.5), a training of 100 steps.
func TestScheduleAt(t *testing.T) {
	p := depth.Survival{0.9, 0.5}
	all := depth.Survival{1, 1}
	for _, c := range []struct {
		kind     depth.ScheduleKind
		fraction float64
		step     int64
		want     depth.Survival
	}{
		{depth.Steady, 0.5, 0, p}, {depth.Steady, 0.5, 99, p},
		{depth.Ramp, 0.5, 0, all}, {depth.Ramp, 0.5, 10, depth.Survival{0.98, 0.9}},
		{depth.Ramp, 0.5, 50, p}, {depth.Ramp, 0.5, 99, p}, {depth.Ramp, 1, 99, depth.Survival{0.901, 0.505}},
		{depth.Early, 0.2, 0, p}, {depth.Early, 0.2, 19, p}, {depth.Early, 0.2, 20, all}, {depth.Early, 0.2, 99, all},
		{depth.Late, 0.2, 0, all}, {depth.Late, 0.2, 19, all}, {depth.Late, 0.2, 20, p}, {depth.Late, 0.2, 99, p},
		{depth.Fall, 0.5, 0, p}, {depth.Fall, 0.5, 10, depth.Survival{0.92, 0.6}}, {depth.Fall, 0.5, 50, all}, {depth.Fall, 0.5, 99, all},
		{depth.Fall, 1, 99, depth.Survival{0.999, 0.995}},
	} {
		s := depth.Schedule{Kind: c.kind, Fraction: c.fraction}
		require.InDeltaSlice(t, []float64(c.want), []float64(s.At(p, c.step, 100)), 1e-12,
			"%s %g at %d", c.kind, c.fraction, c.step)
	}
}

// The expected number of open blocks is the mean of what the probabilities give at each step, and the drawn gates are
// open as often, within four standard errors.
func TestScheduleStatistics(t *testing.T) {
	const steps = 20000
	p := depth.Linear(9, 0.5)
	for _, kind := range depth.ScheduleKinds() {
		s := depth.Schedule{Kind: depth.ScheduleKind(kind), Fraction: 0.4}
		var expected, variance, drawn float64
		for step := range int64(steps) {
			now := s.At(p, step, steps)
			expected += now.ExpectedOpen() / steps
			variance += now.OpenDeviation() * now.OpenDeviation()
			drawn += float64(now.Draw(depth.Rand(1, depth.GateDraws, step)).Open()) / steps
		}
		require.InDelta(t, expected, s.ExpectedOpen(p), 1e-3, kind)
		require.InDelta(t, expected, drawn, 4*math.Sqrt(variance)/steps, kind)
	}
}
