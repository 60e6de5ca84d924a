package explore

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/analysis"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// untrained returns a network of 8 layers that was written to a file and opened again.
func untrained(t *testing.T, deathRate float64) *network.Opened {
	t.Helper()
	r, err := recipes.Preset("shapes")
	require.NoError(t, err)
	r.Depth, r.DeathRate, r.TrainImages, r.ValidationImages, r.TestImages = 8, deathRate, 40, 20, 30
	b := backendtest.Open(t)
	m, err := network.Open(b, r, "")
	require.NoError(t, err)
	run := &runs.Run{Name: "mine", Recipe: r, Rows: []runs.Row{{Epoch: 1, Step: 1, ValidationError: 90, TestError: 90}},
		Result: &runs.Result{Session: runs.Session{Commit: "0123456789ab", Machine: "a machine"}}}
	path := filepath.Join(t.TempDir(), "net.safetensors")
	require.NoError(t, m.Export(path, models.OfRun(run, 1, 40).Metadata()))
	opened, err := network.OpenFile(b, path, "")
	require.NoError(t, err)
	return opened
}

func TestFigures(t *testing.T) {
	constant, stochastic := untrained(t, 0), untrained(t, 0.5)
	figure, err := Confusion(t.Context(), constant)
	require.NoError(t, err)
	svg, err := figure.Bytes("svg")
	require.NoError(t, err)
	require.Contains(t, string(svg), "of 30 images")
	require.Contains(t, string(svg), "commit 0123456")

	mistake, err := CommonMistake(t.Context(), constant)
	require.NoError(t, err)
	predictions, err := analysis.Classify(t.Context(), constant.Model, constant.Data.Test)
	require.NoError(t, err)
	times := map[string]int{}
	for _, p := range predictions {
		if p.Wrong() {
			times[constant.Data.Classes[p.Label]+" for "+constant.Data.Classes[p.Predicted]]++
		}
	}
	pair, count, _ := strings.Cut(mistake, ", ")
	require.Equal(t, fmt.Sprintf("%d times", slices.Max(slices.Collect(maps.Values(times)))), count)
	require.Equal(t, count, fmt.Sprintf("%d times", times[pair]))

	onlyConstant, onlyStochastic, err := Differ(t.Context(), constant, stochastic)
	require.NoError(t, err)
	others, err := analysis.Classify(t.Context(), stochastic.Model, stochastic.Data.Test)
	require.NoError(t, err)
	wrong := func(list []analysis.Prediction) (n int) {
		for _, p := range list {
			if p.Wrong() {
				n++
			}
		}
		return n
	}
	require.Equal(t, wrong(predictions)-wrong(others), onlyConstant-onlyStochastic)
	either := 0
	for i := range others {
		if predictions[i].Wrong() != others[i].Wrong() {
			either++
		}
	}
	require.Equal(t, either, onlyConstant+onlyStochastic)

	figure, err = Mistakes(t.Context(), stochastic, 8)
	require.NoError(t, err)
	_, err = figure.PNG(72)
	require.NoError(t, err)

	figure, err = Lesions(t.Context(), Study{Choices: 2, Seed: 1}, constant, stochastic)
	require.NoError(t, err)
	svg, err = figure.Bytes("svg")
	require.NoError(t, err)
	require.Contains(t, string(svg), "the first 30 test images")

	_, err = Lesions(t.Context(), Study{Removed: []int{4}}, constant)
	require.ErrorContains(t, err, "4 blocks cannot be removed from 3")
	_, err = Open("nowhere")
	require.ErrorContains(t, err, "no tensor file")
}

func TestStudy(t *testing.T) {
	opened := untrained(t, 0)
	require.Equal(t, Study{Removed: []int{0, 1, 2, 3}, Choices: 8, Images: 30}, Study{}.filled([]*network.Opened{opened}))
	study := Study{Removed: []int{2}, Choices: 1, Images: 10, Seed: 3}
	require.Equal(t, study, study.filled([]*network.Opened{opened}))
}
