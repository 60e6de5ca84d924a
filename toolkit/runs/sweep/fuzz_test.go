package sweep

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
)

// Whatever a sweep file holds, its runs are valid and have different names, or it is refused.
func FuzzSweep(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join("..", "..", "..", "data", "sweeps", "*.json"))
	require.NoError(f, err)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(data)
	}
	for _, text := range []string{
		``, `{}`, `null`, `{"grid": null}`, `{"grid": {"depth": [8, "14"]}}`, `{"grid": {"milestones": [[0.5], [], null]}}`,
		`{"dataset": "shapes", "depth": [8, 14], "epochs": 2, "milestones": [[0.5]]}`, `{"name": "../x", "grid": {"depth": [8]}}`,
		`{"recipe": {"dataset": "shapes", "depth": 8, "epochs": 1}, "set": {"death_rate": "0.5"}, "grid": {"seed": [-1, 9223372036854775807]}}`,
		`{"recipe": "it.json", "grid": {"depth": [8]}}`, `{"grid": {"death_rate": [0, 0.0, 1e-300]}}`, `{"grid": {"description": ["a", "b"]}}`,
	} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "it.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		if file, err := parse(data); err == nil {
			var s Sweep
			if s.readAxes(file.Grid) == nil && len(product(s.Axes)) > 300 {
				return // takes long, and shows no more
			}
		}
		require.NoError(t, os.WriteFile(path, data, 0o644))
		s, err := Read(path)
		if err != nil {
			return
		}
		seen := make(map[string]bool)
		for i, job := range s.Jobs {
			require.NoError(t, job.Recipe.Validate())
			require.NoError(t, runs.CheckName(job.Name))
			require.False(t, seen[job.Name])
			require.Equal(t, i, job.Index)
			seen[job.Name] = true
		}
		_, err = s.Kubernetes(KubernetesOptions{})
		require.NoError(t, err)
	})
}
