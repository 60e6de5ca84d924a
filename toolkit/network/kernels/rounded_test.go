//go:build linux && amd64 && cgo && !nokernels

package kernels_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
)

// TestRounded compares the convolutions of factors rounded to bfloat16 with sums of these factors in float64, to the
// rounding of float32's sums: by AVX2, AVX-512 and AMX, as far as the processor has them.
func TestRounded(t *testing.T) {
	program := filepath.Join(t.TempDir(), "rounded")
	out, err := exec.Command(backendtest.Compiler(), "-O2", "-Wno-psabi", "-o", program, "testdata/rounded_test.c", "amx.c",
		"convolution.c", "layer.c", "workspace.c", "avx2.c", "avx512.c", "-lm").CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(program).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s ways", out)
}
