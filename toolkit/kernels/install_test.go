package kernels_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/backend/backendtest"
	"stochdepth/toolkit/kernels"
)

// future is a plugin whose interface is of version 9.
const future = `static int table[1000] = {sizeof table, [8] = 9};
void *GetPjrtApi(void) { return table; }
`

// TestInstall loads the plugin once more by another path, and one that is refused: the first goes on.
func TestInstall(t *testing.T) {
	b := backendtest.Open(t)
	name := b.(*xla.Backend).PluginName()
	if kernels.Processor(name) == "" {
		t.Skip("this machine has no kernels")
	}
	other := filepath.Join(t.TempDir(), "pjrt_c_api_other_plugin.so")
	require.NoError(t, os.WriteFile(other+".c", []byte(future), 0o600))
	out, err := exec.Command(compiler(), "-shared", "-fPIC", "-o", other, other+".c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.ErrorContains(t, kernels.Install(other), "version")
	require.Empty(t, kernels.Processor(other))
	link := filepath.Join(t.TempDir(), "pjrt_c_api_link_plugin.so")
	require.NoError(t, os.Symlink(name, link))
	require.NoError(t, kernels.Install(link))
	require.Equal(t, kernels.Processor(name), kernels.Processor(link))

	before := kernels.Replaced()
	x, w := make([]float32, 8*8*16), make([]float32, 3*3*16*16)
	x[0], w[4*16*16] = 3, 2
	y, err := ExecOnce(b, func(x, w *Node) *Node {
		return Convolve(Reshape(x, 1, 8, 8, 16), Reshape(w, 3, 3, 16, 16)).PadSame().Done()
	}, x, w)
	require.NoError(t, err)
	require.NoError(t, y.ConstFlatData(func(flat any) { require.Equal(t, float32(6), flat.([]float32)[0]) }))
	require.Equal(t, 1, kernels.Replaced()-before)
}
