package training

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Any position is either refused, or read with files that have the recorded sums.
func FuzzPosition(f *testing.F) {
	dir := f.TempDir()
	require.NoError(f, os.WriteFile(filepath.Join(dir, "weights"), []byte("abc"), 0o644))
	sum, err := hash(filepath.Join(dir, "weights"))
	require.NoError(f, err)
	for _, text := range []string{
		``, `{}`, `null`, `{"step": 8, "seconds": 1.5, "row": {}, "files": {"weights": "` + sum + `"}}`,
		`{"files": {"weights": "0"}}`, `{"files": {"../../weights": "` + sum + `"}}`, `{"files": {"..": "", "": "", "/": ""}}`,
		`{"step": -5}`, `{"step": 999999999999}`, `{"step": 9223372036854775808}`,
		`{"normalization": {"Mean": [1, 2, 3], "Deviation": []}}`, `{"seconds": 1e400}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, positionFile), data, 0o644))
		p, err := readPosition(dir)
		if err != nil {
			return
		}
		for name, want := range p.Files {
			have, err := hash(filepath.Join(dir, filepath.Base(name)))
			require.NoError(t, err)
			require.Equal(t, want, have)
		}
	})
}
