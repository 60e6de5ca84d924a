package training_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs/recipes"
)

// A file with values that no trained network has is refused with one sentence, and no run folder is left.
func TestImportRefuses(t *testing.T) {
	b := backendtest.Open(t)
	r := tiny(t)
	r.SurvivalSchedule = "ramp"
	m, err := network.Open(b, r, "")
	require.NoError(t, err)
	root := t.TempDir()
	good, bad := filepath.Join(root, "good.safetensors"), filepath.Join(root, "bad.safetensors")
	require.NoError(t, m.Export(good, nil))

	for name, test := range map[string]struct {
		tensor string
		value  float64
		want   string
	}{
		"NaN": {"fc.weight", math.NaN(),
			"fc.weight of " + bad + " has the value NaN at position 1, but all must be finite: import a file"},
		"infinity": {"blocks.0.conv1.weight", math.Inf(-1),
			"blocks.0.conv1.weight of " + bad + " has the value -Inf at position 1, but all must be finite"},
		"negative variance": {"stem.bn.running_var", -0.5,
			"stem.bn.running_var of " + bad + " has the value -0.5 at position 1, but a variance is not negative"},
		"zero deviation": {"normalization.deviation", 0,
			"normalization.deviation of " + bad + " has the value 0 at position 1, but a deviation is above zero"},
		"negative deviation": {"normalization.deviation", -2, "a deviation is above zero"},
		"NaN mean":           {"normalization.mean", math.NaN(), "all must be finite"},
		"survival": {"survival", 1.5,
			"survival of " + bad + ": the survival probability of block 2 is 1.5: it must be in (0, 1]"},
		"survival NaN": {"survival", math.NaN(), "survival of " + bad + " has the value NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			list, meta, err := tensorfile.Read(good)
			require.NoError(t, err)
			for _, tensor := range list {
				if tensor.Name == test.tensor {
					binary.LittleEndian.PutUint32(tensor.Data[4:], math.Float32bits(float32(test.value)))
				}
			}
			require.NoError(t, tensorfile.Write(bad, list, meta))
			dir := filepath.Join(root, "runs")
			_, err = training.ImportRun(b, bad, dir, r, "")
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n")
			require.NoDirExists(t, dir)
		})
	}

	// A folder that exists stays, also when the checkpoint cannot be written to it.
	dir := filepath.Join(root, "run")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "checkpoint"), nil, 0o644))
	_, err = training.ImportRun(b, good, dir, r, "")
	require.Error(t, err)
	require.DirExists(t, dir)
	_, err = training.ImportRun(b, good, filepath.Join(root, "new"), r, "")
	require.NoError(t, err)
}

// Impossible numbers are refused before the data is read or a folder is made.
func TestTrainRefusesNumbers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	type (
		options = training.Options
		recipe  = recipes.Recipe
	)
	for want, change := range map[string]func(*options, *recipe){
		"the time limit -1s is negative: give one such as 90m, or none": func(o *options, _ *recipe) {
			o.MaxTime = -time.Second
		},
		"the number of devices is -1: it must be from 0 to 1,024": func(o *options, _ *recipe) {
			o.Devices = -1
		},
		"epochs is 9223372036854775807: it must be from 1 to 1,000,000": func(_ *options, r *recipe) {
			r.Epochs = math.MaxInt
		},
		"depth is 600000002: it must be from 8 to 10,000": func(_ *options, r *recipe) {
			r.Depth = 600000002
		},
		"batch_size is 50, but there are 40 training images: make it 40 at most": func(_ *options, r *recipe) {
			r.BatchSize = 50
		},
		"batch_size is 8001, but there are 8000 training images: make it 8000 at most": func(_ *options, r *recipe) {
			r.BatchSize, r.TrainImages = 8001, 0
		},
		"train_images is 9223372036854775807: it must be from 0 to 1,000,000": func(_ *options, r *recipe) {
			r.TrainImages = math.MaxInt
		},
		"warmup_epochs is 9223372036854775807: it must be from 0 to less than the 3 epochs": func(_ *options, r *recipe) {
			r.WarmupEpochs = math.MaxInt
		},
		"evaluate_every is 9223372036854775807: it must be from 0 to 1,000,000,000": func(_ *options, r *recipe) {
			r.EvaluateEvery = math.MaxInt
		},
		"batch_size is -9223372036854775808: a minibatch has 1 image at least": func(_ *options, r *recipe) {
			r.BatchSize = math.MinInt
		},
		"validation_images is -9223372036854775808: give a number of images, or 0 for all": func(_ *options, r *recipe) {
			r.ValidationImages = math.MinInt
		},
		"survival_probabilities has 1 values, but a network of 8 layers has 3 blocks: give one a ": func(_ *options, r *recipe) {
			r.Rule, r.SurvivalProbabilities = "list", []float64{1}
		},
	} {
		o, r := training.Options{Dir: dir}, tiny(t)
		change(&o, &r)
		o.Recipe = r
		_, err := training.Train(t.Context(), nil, o)
		require.ErrorContains(t, err, strings.TrimSpace(want))
		require.NoDirExists(t, dir)
	}
	_, err := network.Open(nil, recipes.Recipe{}, "")
	require.ErrorContains(t, err, `dataset "" is unknown`)
}
