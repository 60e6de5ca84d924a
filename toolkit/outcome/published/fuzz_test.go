package published

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever the file of the paper's numbers holds, it is read or refused.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		``, `{}`, `null`, `{"Numbers": [{"source": "Table 1", "quantity": "test error", "value": 5.23, "survival": 0.5, "layers": 110}]}`,
		`{"curves": [{"source": "Fig. 3", "read_off": true, "points": [[1, 2], [3]]}]}`, `{"numbers": [{"value": 1e400}]}`, `{"unknown": 1}`,
		`{"contradictions": [{"about": "x", "values": [1, 2], "quote": 1, "note": "y"}], "units": {"test error": "percent"}}`,
	} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "published.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o644))
		paper, err := Read(path)
		if err != nil {
			return
		}
		for _, n := range paper.Numbers {
			require.True(t, n.Edition != "" || len(paper.Find(n.Source, n.Key)) > 0)
		}
	})
}
