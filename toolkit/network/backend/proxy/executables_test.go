package proxy_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
)

// TestExecutables compiles a program, loads it from the file where it was kept, and compiles it again if the file is
// damaged or XLA is asked for what it makes of the program. Each time it computes the same, by XLA's code and by ours.
func TestExecutables(t *testing.T) {
	b := backendtest.Open(t)
	before := proxy.Replaced()
	folder := filepath.Join(t.TempDir(), "executables")
	earlier := proxy.KeepIn(folder)
	t.Cleanup(func() { proxy.KeepIn(earlier) })
	x := make([]float32, 8*8*16)
	w := make([]float32, 3*3*16*16)
	for i := range x {
		x[i] = float32(i%11) - 5
	}
	for i := range w {
		w[i] = float32(i%7) - 3
	}
	// program runs the program as if it were new, and returns how often an executable was loaded.
	program := func() (result []float32, loads int) {
		before := proxy.Loaded()
		out, err := ExecOnce(b, func(x, w *Node) *Node {
			return MulScalar(Convolve(Reshape(x, 1, 8, 8, 16), Reshape(w, 3, 3, 16, 16)).PadSame().Done(), 2)
		}, x, w)
		require.NoError(t, err)
		require.NoError(t, out.ConstFlatData(func(flat any) { result = append(result, flat.([]float32)...) }))
		return result, proxy.Loaded() - before
	}
	want, loads := program()
	require.Zero(t, loads)
	if proxy.Replaced() == before {
		t.Skip("this machine has no kernels, and keeps nothing")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	require.NoError(t, err)
	require.Len(t, files, 1)

	got, loads := program()
	require.Equal(t, 1, loads)
	require.Equal(t, want, got)

	whole, err := os.ReadFile(files[0])
	require.NoError(t, err)
	for what, damaged := range map[string][]byte{
		"cut": whole[:len(whole)/2], "changed": append(append([]byte{}, whole[:len(whole)-1]...), whole[len(whole)-1]+1), "empty": nil,
	} {
		require.NoError(t, os.WriteFile(files[0], damaged, 0o600))
		got, loads = program()
		require.Zero(t, loads, what)
		require.Equal(t, want, got, what)
		_, loads = program()
		require.Equal(t, 1, loads, what+", then mended")
	}

	t.Run("written by XLA", func(t *testing.T) {
		t.Setenv("XLA_FLAGS", "--xla_dump_to="+t.TempDir())
		got, loads := program()
		require.Zero(t, loads, "it is compiled")
		require.Equal(t, want, got)
		files, err := filepath.Glob(filepath.Join(folder, "*"))
		require.NoError(t, err)
		require.Len(t, files, 1, "and not kept")
	})

	require.NoError(t, os.RemoveAll(folder))
	require.NoError(t, os.WriteFile(folder, nil, 0o600)) // so that none can be kept
	got, _ = program()
	require.Equal(t, want, got)
}
