//go:build linux && amd64 && cgo && !nokernels

package kernels_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMemory runs the C program that uses large blocks as XLA does.
func TestMemory(t *testing.T) {
	program := filepath.Join(t.TempDir(), "memory")
	out, err := exec.Command(compiler(), "-O2", "-pthread", "-fno-builtin", "-o", program, "memory.c", "testdata/memory_test.c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(program).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}
