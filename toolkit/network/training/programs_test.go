package training_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/training"
)

// A continued run has the same programs at every start, so that they are found compiled.
func TestResumedProgramsAreTheSame(t *testing.T) {
	stopAfter := func(step int64, dir string) {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := train(t, ctx, dir, tiny(t), func(p training.Progress) {
			if p.Step == step {
				cancel()
			}
		})
		require.ErrorIs(t, err, training.ErrStopped)
	}
	from := filepath.Join(t.TempDir(), "run")
	stopAfter(1, from)
	var programs [2][]string
	defer proxy.Watch(nil)
	for i := range programs {
		dir := filepath.Join(t.TempDir(), "run")
		require.NoError(t, os.CopyFS(dir, os.DirFS(from)))
		proxy.Watch(func(program string) bool {
			programs[i] = append(programs[i], program)
			return true
		})
		stopAfter(2, dir)
	}
	if len(programs[0]) == 0 {
		t.Skip("this machine has no kernels, with which the programs are watched")
	}
	require.True(t, slices.Equal(programs[0], programs[1]))
}
