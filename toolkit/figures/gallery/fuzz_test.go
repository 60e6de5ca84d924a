package gallery

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever the choice of runs holds, it is read or refused, and so are the names in it.
func FuzzChoice(f *testing.F) {
	real, err := os.ReadFile(filepath.Join("..", "..", "..", "data", "figures.json"))
	require.NoError(f, err)
	f.Add(real)
	for _, text := range []string{
		``, `{}`, `null`, `{"fig3": {"runs": ["a*", "[", "../x", "/abs", "\u001b[2J"]}}`, `{"fig33": {}}`, `{"fig3": {"run": []}}`, `{"step-time": {"bench": "../x"}}`,
	} {
		f.Add([]byte(text))
	}
	folder := f.TempDir()
	require.NoError(f, os.WriteFile(filepath.Join(folder, "published.json"), []byte(`{}`), 0o644))
	require.NoError(f, os.Mkdir(filepath.Join(folder, "runs"), 0o755))
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "figures.json"), data, 0o644))
		sources, err := Read(folder)
		if err != nil {
			return
		}
		for name, choice := range sources.Choice {
			_, err := Find(name)
			require.NoError(t, err)
			if len(choice.Runs) > 0 {
				_, err := sources.Runs(choice.Runs)
				require.Error(t, err, "there are no runs")
			}
		}
	})
}
