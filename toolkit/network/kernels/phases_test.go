//go:build linux && amd64 && cgo && !nokernels

package kernels_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
)

// BenchmarkPhases prints where the time of a training step goes: microseconds for each image in each phase of the stem, of
// a block of each group and of the transitions, on one thread, by the dtype of a recipe.
func BenchmarkPhases(b *testing.B) {
	program := filepath.Join(b.TempDir(), "phases")
	out, err := exec.Command(backendtest.Compiler(), "-O3", "-Wno-psabi", "-o", program, "testdata/phases.c", "backward.c",
		"columns.c", "convolution.c", "forward.c", "inference.c", "layer.c", "stem.c", "workspace.c",
		"avx2.c", "avx512.c", "amx.c", "-lm").CombinedOutput()
	require.NoError(b, err, "%s", out)
	for b.Loop() {
		for _, batch := range []string{"16", "64"} {
			for _, dtype := range []string{"float32", "bf16-products"} {
				out, err := exec.Command(program, batch, dtype).CombinedOutput()
				require.NoError(b, err, "%s", out)
				fmt.Printf("\nminibatch %s, %s, microseconds an image:\n%s", batch, dtype, out)
			}
		}
	}
}
