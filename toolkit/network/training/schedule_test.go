package training_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs"
)

// Under every schedule a stopped run ends in the same bits as an undisturbed one, the log shows the blocks that the schedule
// opens, and the network is evaluated with the survival probabilities of its checkpoint.
func TestSchedules(t *testing.T) {
	b := backendtest.Open(t)
	for _, kind := range []depth.ScheduleKind{depth.Ramp, depth.Early, depth.Late} {
		t.Run(string(kind), func(t *testing.T) {
			r := tiny(t)
			r.SurvivalSchedule, r.ScheduleFraction, r.DeathRate, r.Epochs = string(kind), 0.5, 0.9, 4 // of 12 steps
			whole := filepath.Join(t.TempDir(), "whole")
			alone, err := train(t, context.Background(), whole, r, nil)
			require.NoError(t, err)

			dir := filepath.Join(t.TempDir(), "stopped")
			stop(t, dir, r, atStep(5)) // in the middle of an epoch, while a ramp rises
			resumed, err := train(t, context.Background(), dir, r, nil)
			require.NoError(t, err)
			require.Equal(t, withoutSeconds(alone.Rows), withoutSeconds(resumed.Rows))
			require.Equal(t, parameters(t, whole, "last"), parameters(t, dir, "last"))
			require.Contains(t, parameters(t, whole, "last"), "var:/network/survival")

			const blocks = 3.0
			first, last := alone.Rows[0].OpenBlocksMean, alone.Rows[3].OpenBlocksMean
			switch kind {
			case depth.Early:
				require.Equal(t, blocks, last)
				require.Less(t, first, blocks)
			case depth.Late:
				require.Equal(t, blocks, first)
				require.Less(t, last, blocks)
			case depth.Ramp:
				require.Less(t, last, blocks)
			}

			m, err := training.Restore(b, alone, training.Last, "")
			require.NoError(t, err)
			rule, err := r.Survival()
			require.NoError(t, err)
			current := r.Schedule().At(rule, m.Info.Step-1, 12)
			asSaved, err := m.Evaluate(context.Background(), m.Data.Test)
			require.NoError(t, err)
			require.Equal(t, alone.Rows[3].TestError, asSaved.Error)
			require.NoError(t, m.SetSurvival(current))
			again, err := m.Evaluate(context.Background(), m.Data.Test)
			require.NoError(t, err)
			require.Equal(t, asSaved, again)
			other := rule
			if kind != depth.Early {
				other = depth.Constant(len(rule))
			}
			require.NoError(t, m.SetSurvival(other))
			different, err := m.Evaluate(context.Background(), m.Data.Test)
			require.NoError(t, err)
			require.NotEqual(t, asSaved.Loss, different.Loss, "the scale matters")

			// A file carries the current probabilities; a run made from it is evaluated with them.
			require.NoError(t, m.SetSurvival(current))
			file := filepath.Join(t.TempDir(), "network.safetensors")
			require.NoError(t, m.Export(file, nil))
			imported := filepath.Join(t.TempDir(), "imported")
			notes, err := training.ImportRun(b, file, imported, r, "")
			require.NoError(t, err)
			require.Empty(t, notes)
			run, err := runs.Open(imported)
			require.NoError(t, err)
			m, err = training.Restore(b, run, training.Last, "")
			require.NoError(t, err)
			fromFile, err := m.Evaluate(context.Background(), m.Data.Test)
			require.NoError(t, err)
			require.Equal(t, asSaved, fromFile)
		})
	}
}
