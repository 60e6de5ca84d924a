package runs

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

// everyKind returns runs of every kind: with rows, without, recorded without its log, with a list of probabilities, with
// a million epochs, and with a name that is not fit to be shown.
func everyKind(t *testing.T) []*Run {
	base, err := recipes.Preset("shapes")
	require.NoError(t, err)
	list, recorded, diverged := base, base, base
	base.DeathRate, base.Epochs = 0.5, 1_000_000
	list.Rule, list.DeathRate, list.SurvivalProbabilities = "list", 0, []float64{1, 0.5, 0.25}
	list.Depth = 8
	recorded.DeathRate = 0
	return []*Run{
		{Name: "half", Recipe: base, Rows: []Row{{Epoch: 0.5, Step: 2, ValidationError: 30, TestError: 31.256, Seconds: 1.5},
			{Epoch: 1.25, Step: 5, ValidationError: 29.5, TestError: 30.125, Seconds: 3725}}},
		{Name: "young", Recipe: list},
		{Name: "recorded", Recipe: recorded, Result: &Result{Status: "finished", Completed: true, Epochs: 240, BestEpoch: 200,
			ValidationError: 12.5, TestError: 1. / 3, StepsPerSecond: 7.123456, WallSeconds: 4 * 24 * 3600}},
		{Name: "a\tb, <\"c\">", Recipe: diverged, Result: &Result{Status: "diverged"}, Rows: []Row{{Epoch: 3, Step: 1}}},
	}
}

// The lists in all formats, letter for letter.
func TestTableOfEveryKind(t *testing.T) {
	var out bytes.Buffer
	for _, format := range say.TableFormats {
		require.NoError(t, Table(&out, everyKind(t), format))
		out.WriteString("\n")
	}
	want, err := os.ReadFile("testdata/tables.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}
