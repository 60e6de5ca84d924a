//go:build linux && amd64 && cgo && !nokernels

package kernels_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/kernels"
)

// TestMemory runs the C program that uses large blocks as XLA does, and where the environment leaves them to the C library.
func TestMemory(t *testing.T) {
	program := filepath.Join(t.TempDir(), "memory")
	out, err := exec.Command(compiler(), "-O2", "-pthread", "-fno-builtin", "-o", program, "memory.c", "testdata/memory_test.c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for value, what := range map[string]string{"": "on", "avx2": "on", "off": "off", "OFF": "off", "false": "off", "0": "off", "no": "off", " off ": "off"} {
		test := exec.Command(program, what)
		test.Env = append(os.Environ(), kernels.Environment+"="+value)
		out, err = test.CombinedOutput()
		require.NoError(t, err, "%q: %s", value, out)
		require.Empty(t, string(out), "%q", value)
	}
}
