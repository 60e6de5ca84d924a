package training_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/training"
)

// A run that begins with another's weights has the network and normalisation of that one, a new last layer, and goes on without
// the other. Its frozen groups stay as they are to the last bit, running averages included, and the others move.
func TestFineTuning(t *testing.T) {
	root, b, ctx := t.TempDir(), backendtest.Open(t), context.Background()
	source, err := train(t, ctx, filepath.Join(root, "source"), tiny(t), nil)
	require.NoError(t, err)
	weights, step, err := training.Weights(b, source, training.Last)
	require.NoError(t, err)
	require.EqualValues(t, 9, step)
	sum := weights.Sum()
	again, _, err := training.Weights(b, source, training.Last)
	require.NoError(t, err)
	require.Equal(t, sum, again.Sum())

	r := tiny(t)
	r.From, r.FreezeGroups, r.Epochs = "source, step 9, sha256 "+sum, 1, 1
	dir := filepath.Join(root, "tuned")
	_, err = train(t, ctx, dir, r, nil)
	require.ErrorContains(t, err, "the recipe begins with the weights of source, step 9, sha256 "+sum+", and the run "+dir+
		" does not have them: name them with --from, or leave the key from out")
	require.NoDirExists(t, dir)

	other := r
	other.DeathRate = 0.2
	_, err = training.Begin(b, again, dir, other, "")
	require.ErrorContains(t, err, "freeze_groups 1: the branches of run source are multiplied at test by other factors")
	require.NoDirExists(t, dir)
	require.False(t, training.Begun(dir))

	_, err = training.Begin(b, weights, dir, r, "")
	require.NoError(t, err)
	require.True(t, training.Begun(dir))
	begun := variables(t, dir, training.Last)
	before := parameters(t, source.Dir, training.Last)
	for name, bits := range begun {
		if name != "var:/global_step" {
			require.Equal(t, before[name], bits, name)
		}
	}
	run, err := train(t, ctx, dir, r, nil)
	require.NoError(t, err)
	require.Zero(t, run.Rows[0].GradientMagnitude, "block 1 is frozen")
	moved := 0
	for name, bits := range variables(t, dir, training.Last) {
		switch was, ok := begun[name]; {
		case strings.HasPrefix(name, "var:/network/stem/"), strings.HasPrefix(name, "var:/network/group1/"):
			require.Equal(t, was, bits, "%s is frozen", name)
		case strings.HasPrefix(name, "var:/network/") && name != "var:/network/survival":
			require.True(t, ok, name)
			require.NotEqual(t, was, bits, name)
			moved++
		default:
			require.NotContains(t, name, "velocity/network/stem")
		}
	}
	require.Equal(t, 2*10+2, moved, "two groups of one block, and the linear layer")
}

// With all groups frozen a training step sees the features that the network has at test, whatever the gates.
func TestAllFrozenIsTheTest(t *testing.T) {
	r := tiny(t)
	r.FreezeGroups = 3
	require.NoError(t, r.Validate())
	net, err := network.Open(backendtest.Open(t), r, "")
	require.NoError(t, err)
	require.NoError(t, net.Prepare(1))
	require.EqualValues(t, 64*10+10, net.Parameters(), "the linear layer")
	require.NoError(t, net.SetLearningRate(0.1))
	losses := make(map[string]float64)
	for _, form := range []string{"survivors", "resnet"} {
		r.Form, r.Augment = form, "none"
		net, err := network.Open(backendtest.Open(t), r, "")
		require.NoError(t, err)
		require.NoError(t, net.Prepare(1))
		test, err := net.Evaluate(context.Background(), net.Data.Train)
		require.NoError(t, err)
		var sum float64
		var images int
		for step := range int64(3) { // an epoch, at the rate 0
			wait, err := net.Step(net.Batches().At(step))
			require.NoError(t, err)
			o, err := wait()
			require.NoError(t, err)
			sum, images = sum+o.Loss*float64(o.Images), images+o.Images
		}
		require.InEpsilon(t, test.Loss, sum/float64(images), 1e-5)
		losses[form] = test.Loss
	}
	require.InEpsilon(t, losses["resnet"], losses["survivors"], 1e-5)

	r.FreezeGroups = 4
	require.EqualError(t, r.Validate(), "freeze_groups is 4: it must be from 0, which freezes nothing, to the 3 groups of the network")
	r.FreezeGroups, r.SurvivalSchedule = 1, "ramp"
	require.ErrorContains(t, r.Validate(), `freeze_groups needs scale_at "train" with survival_schedule "ramp"`)
}
