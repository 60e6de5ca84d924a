//go:build linux && amd64 && cgo && !nokernels

package kernels_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
)

// TestUnderSanitizers runs the kernels in a C program with the compiler's sanitizers, which find accesses outside of arrays,
// undefined behaviour and races. The program also tries each request for memory that may fail.
func TestUnderSanitizers(t *testing.T) {
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty.c")
	require.NoError(t, os.WriteFile(empty, []byte("int main(void) { return 0; }\n"), 0o600))
	for _, kind := range []string{"address,undefined", "thread"} {
		t.Run(kind, func(t *testing.T) {
			program := filepath.Join(folder, "kernels-"+kind)
			flags := []string{"-fsanitize=" + kind, "-fno-sanitize-recover=all", "-pthread", "-Wno-psabi", "-o", program}
			if out, err := exec.Command(backendtest.Compiler(), append(flags, empty)...).CombinedOutput(); err != nil {
				t.Skipf("this compiler does not have -fsanitize=%s: %s", kind, out)
			}
			if out, err := exec.Command(program).CombinedOutput(); err != nil {
				t.Skipf("this machine does not run what has -fsanitize=%s: %v, %s", kind, err, out)
			}
			flags = append(flags, "-O1", "-Wl,--wrap=mmap", "columns.c", "convolution.c", "layer.c", "forward.c", "backward.c", "inference.c",
				"stem.c", "workspace.c", "calls.c", "parallel.c", "avx2.c", "avx512.c", "amx.c", "testdata/block_test.c", "-lm")
			out, err := exec.Command(backendtest.Compiler(), flags...).CombinedOutput()
			require.NoError(t, err, "%s", out)
			out, err = exec.Command(program).CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Empty(t, string(out))
		})
	}
}
