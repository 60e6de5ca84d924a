package training_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs"
)

// A run that began on two devices goes on with one, from the same checkpoints, and ends like a run on one: the recipe is the
// same. The last minibatch of each epoch, of 9 images, is not shared.
func TestDevicesOfARun(t *testing.T) {
	r := tiny(t)
	r.TrainImages, r.LearningRate = 41, 0.01
	on := func(ctx context.Context, dir string, devices int, progress func(training.Progress)) (*runs.Run, error) {
		return training.Train(ctx, backendtest.Open(t), training.Options{Dir: dir, Recipe: r, Devices: devices, OnProgress: progress})
	}
	alone, err := on(context.Background(), filepath.Join(t.TempDir(), "alone"), 0, nil)
	require.NoError(t, err)
	require.Equal(t, 1, alone.Result.Devices)

	dir := filepath.Join(t.TempDir(), "shared")
	ctx, stop := context.WithCancel(context.Background())
	half, err := on(ctx, dir, 2, func(p training.Progress) {
		if p.Step == 5 { // in the middle of the second epoch
			stop()
		}
	})
	require.ErrorIs(t, err, training.ErrStopped)
	require.Equal(t, 2, half.Result.Devices)
	require.Len(t, half.Rows, 1)
	whole, err := on(context.Background(), dir, 1, nil)
	require.NoError(t, err)
	require.Equal(t, 1, whole.Result.Devices)
	require.Equal(t, alone.Recipe, whole.Recipe)
	require.Len(t, whole.Rows, len(alone.Rows))
	for i, want := range alone.Rows {
		require.InDelta(t, want.TrainLoss, whole.Rows[i].TrainLoss, 1e-4)
		require.InDelta(t, want.GradientMagnitude, whole.Rows[i].GradientMagnitude, 1e-4)
	}
}

func TestDevicesErrors(t *testing.T) {
	b, r := backendtest.Open(t), tiny(t)
	for devices, sentence := range map[int]string{
		-1: "the number of devices is -1: it must be from 0 to 1,024",
		99: fmt.Sprintf("a run cannot use 99 devices: there are %d here", b.NumDevices()),
		3:  "3 devices cannot share minibatches of 16 images equally: choose a batch size that is a multiple of 3",
	} {
		dir := filepath.Join(t.TempDir(), "run")
		_, err := training.Train(context.Background(), b, training.Options{Dir: dir, Recipe: r, Devices: devices})
		require.EqualError(t, err, sentence)
		require.NoDirExists(t, dir)
	}
}
