package tensorfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What Read accepts can be written and read again, unchanged; nothing makes it panic.
func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "model.safetensors")
	require.NoError(f, Write(path, sample(), map[string]string{"depth": "20"}))
	data, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(data)
	f.Add(data[:len(data)-1])
	const one = `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	for _, text := range []string{
		"", "\xff\xff\xff\xff\xff\xff\xff\xff{}", file("{}", ""), file("[]", ""), file("{", ""), file(one, "12345678"), file(one,
			"1234567"),
		file(strings.Replace(one, "[2]", "[9223372036854775808,2]", 1), "12345678"),
		file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, ""),
		file(`{"__metadata__":{"a":"b"},"":{"dtype":"I8","shape":[],"data_offsets":[0,1]}}`, "1"),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o644))
		tensors, metadata, err := Read(path)
		if err != nil {
			return
		}
		if slices.ContainsFunc(tensors, func(t Tensor) bool { return t.Name == "" }) {
			return // allowed in others' files, but we write no such name
		}
		require.NoError(t, Write(path, tensors, metadata))
		back, again, err := Read(path)
		require.NoError(t, err)
		require.ElementsMatch(t, tensors, back)
		if len(metadata) > 0 {
			require.Equal(t, metadata, again)
		}
	})
}
