package recipes

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever a file holds, Read returns a recipe that can be used and written again, or an error: it never panics or hangs.
func FuzzRecipe(f *testing.F) {
	for _, name := range PresetNames() {
		data, err := presets.ReadFile("presets/" + name + ".json")
		require.NoError(f, err)
		f.Add(data)
	}
	for _, text := range []string{
		``, `{}`, `[]`, `null`, `{"depth": 9223372036854775802}`, `{"depth": 20.5}`, `{"epochs": -1}`, `{"seed": 1e400}`, `{"Depth": 8}`,
		`{"dataset": "shapes", "depth": 8, "epochs": 1, "rule": "list", "survival_probabilities": [1, 0.5, 1e-300]}`,
		`{"dataset": "shapes", "depth": 8, "epochs": 1, "milestones": [0.55, 0.999999999]}`,
		`{"dataset": "shapes", "depth": 8, "epochs": 1000000, "survival_schedule": "ramp", "schedule_fraction": 1e-300}`,
	} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "recipe.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o644))
		recipe, err := Read(path)
		if err != nil || recipe.Validate() != nil {
			return
		}
		survival, err := recipe.Survival()
		require.NoError(t, err)
		open, blocks := recipe.ExpectedOpen()
		require.True(t, open >= 0 && open <= float64(blocks)*(1+1e-9) && blocks == len(survival), "%g of %d", open, blocks)
		for _, epoch := range recipe.RateDrops() {
			require.True(t, epoch > 0 && epoch <= recipe.Epochs)
		}
		require.True(t, SameSetting(recipe, recipe.Canonical()))

		require.NoError(t, recipe.Write(path))
		back, err := Read(path)
		require.NoError(t, err)
		require.Empty(t, Differences(recipe, back))
	})
}
