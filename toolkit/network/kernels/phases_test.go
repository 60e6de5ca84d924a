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
// a block of each group and of the transitions, on one thread.
func BenchmarkPhases(b *testing.B) {
	program := filepath.Join(b.TempDir(), "phases")
	out, err := exec.Command(backendtest.Compiler(), "-O3", "-Wno-psabi", "-o", program, "testdata/phases.c", "backward.c",
		"columns.c", "convolution.c", "forward.c", "inference.c", "layer.c", "stem.c", "workspace.c", "avx2.c", "avx512.c", "-lm").CombinedOutput()
	require.NoError(b, err, "%s", out)
	for b.Loop() {
		for _, batch := range []string{"16", "64"} {
			out, err := exec.Command(program, batch).CombinedOutput()
			require.NoError(b, err, "%s", out)
			fmt.Printf("\nminibatch %s, microseconds an image:\n%s", batch, out)
		}
	}
}
