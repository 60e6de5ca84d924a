package runs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/say"
)

// Whatever a file holds, a reader returns something that can be used and written again, or an error: it never panics or
// hangs.

// fuzzFile returns a function that writes a file of that name in a folder of the test and returns its path.
func fuzzFile(f *testing.F, name string) func(t *testing.T, data []byte) string {
	path := filepath.Join(f.TempDir(), name)
	return func(t *testing.T, data []byte) string {
		require.NoError(t, os.WriteFile(path, data, 0o644))
		return path
	}
}

func FuzzRows(f *testing.F) {
	text := header
	for _, row := range rows {
		text += row.line()
	}
	for _, cut := range []int{0, 10, len(header), len(header) + 5, len(text) - 1, len(text)} {
		f.Add([]byte(text[:cut]))
	}
	f.Add([]byte(header + "1\t9223372036854775807\tNaN\tInf\t-Inf\t0x1p-1074\t1e999\t_\t\t\n"))
	f.Add([]byte(header + "1\t-5\t0\t0\t0\t0\t0\t0\t0\t0\n\x00\x00\n"))
	write := fuzzFile(f, rowsFile)
	f.Fuzz(func(t *testing.T, data []byte) {
		read, _, err := readRows(write(t, data))
		if err != nil {
			return
		}
		Best(read)
		text := header
		for i, row := range read {
			require.True(t, i == 0 || row.Step > read[i-1].Step)
			text += row.line()
		}
		back, torn, err := readRows(write(t, []byte(text)))
		require.NoError(t, err)
		require.False(t, torn)
		requireRows(t, read, back)
	})
}

func FuzzResult(f *testing.F) {
	for _, text := range []string{
		``, `{}`, `null`, `{"best_epoch": null, "validation_error": 5.5, "completed": true, "status": "finished", "steps": 8}`,
		`{"steps": 9223372036854775808}`, `{"started": "2026-01-02T03:04:05Z", "ended": "never"}`, `{"test_error": 1e400}`, `[1]`,
	} {
		f.Add([]byte(text))
	}
	write := fuzzFile(f, resultFile)
	f.Fuzz(func(t *testing.T, data []byte) {
		result, err := readResult(write(t, data))
		if err != nil {
			return
		}
		text, err := result.MarshalJSON()
		if err != nil { // a year beyond 9999, which JSON's form of times cannot have
			return
		}
		back, err := readResult(write(t, text))
		require.NoError(t, err)
		again, err := back.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(text), string(again))
	})
}

// An accepted name stays below the folder of the runs, and may be shown.
func FuzzName(f *testing.F) {
	for _, name := range []string{"a", "sweep/a-0.5-s1", "..", "/", "a/../b", "a\x1b", "\u202e", ".a", "a//b",
		"milestones=0.5+0.75"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		dir, err := Folder("/root", name)
		if err != nil {
			require.Equal(t, err.Error(), say.Shown(err.Error()))
			return
		}
		require.Equal(t, name, say.Shown(name))
		require.True(t, strings.HasPrefix(dir, "/root/") && filepath.IsLocal(name) && filepath.Clean(dir) == "/root/"+name)
	})
}
