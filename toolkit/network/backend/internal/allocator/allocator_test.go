//go:build linux && amd64 && cgo && !nokernels

package allocator_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/internal/allocator"
	"stochdepth/toolkit/network/kernels"
)

// TestMemoryIsKept runs a C program that uses large blocks as XLA does.
func TestMemoryIsKept(t *testing.T) {
	program := filepath.Join(t.TempDir(), "allocator")
	flags := []string{"-O2", "-pthread", "-fno-builtin", "-o", program}
	out, err := exec.Command(backendtest.Compiler(), append(flags, "allocator.c", "testdata/allocator_test.c")...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(program).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}

// Opening a device starts the allocator, unless the environment leaves everything to XLA.
func TestItStartsWithADevice(t *testing.T) {
	const child = "STOCHDEPTH_TEST_ALLOCATOR"
	if want := os.Getenv(child); want != "" {
		require.False(t, allocator.Started())
		backendtest.Open(t)
		require.Equal(t, want, fmt.Sprint(allocator.Started()))
		return
	}
	for choice, want := range map[string]bool{"": true, "avx2": true, "off": false, " No ": false} {
		test := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		test.Env = append(os.Environ(), kernels.Environment+"="+choice, fmt.Sprint(child, "=", want))
		out, err := test.CombinedOutput()
		require.NoError(t, err, "%q: %s", choice, out)
	}
}
