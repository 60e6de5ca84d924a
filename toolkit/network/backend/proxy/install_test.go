package proxy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
)

// future is a plugin whose interface has version 9.
const future = `static int table[1000] = {sizeof table, [8] = 9};
void *GetPjrtApi(void) { return table; }
`

// TestInstall loads the plugin once more by another path, and a plugin that is refused: the first one still computes.
func TestInstall(t *testing.T) {
	b := backendtest.Open(t)
	name := b.(*xla.Backend).PluginName()
	if proxy.Processor(name) == "" {
		t.Skip("this machine has no kernels")
	}
	other := compiled(t, "other", future)
	require.ErrorContains(t, proxy.Install(other), "version")
	require.Empty(t, proxy.Processor(other))
	link := filepath.Join(t.TempDir(), "pjrt_c_api_link_plugin.so")
	require.NoError(t, os.Symlink(name, link))
	require.NoError(t, proxy.Install(link))
	require.Equal(t, proxy.Processor(name), proxy.Processor(link))

	before := proxy.Replaced()
	x, w := make([]float32, 8*8*16), make([]float32, 3*3*16*16)
	x[0], w[4*16*16] = 3, 2
	y, err := ExecOnce(b, func(x, w *Node) *Node {
		return Convolve(Reshape(x, 1, 8, 8, 16), Reshape(w, 3, 3, 16, 16)).PadSame().Done()
	}, x, w)
	require.NoError(t, err)
	require.NoError(t, y.ConstFlatData(func(flat any) { require.Equal(t, float32(6), flat.([]float32)[0]) }))
	require.Equal(t, 1, proxy.Replaced()-before)
}

// compiled compiles a C program into a plugin and returns its path.
func compiled(t *testing.T, name, program string) string {
	path := filepath.Join(t.TempDir(), "pjrt_c_api_"+name+"_plugin.so")
	require.NoError(t, os.WriteFile(path+".c", []byte(program), 0o600))
	out, err := exec.Command(backendtest.Compiler(), "-shared", "-fPIC", "-o", path, path+".c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// alone is a plugin like future that notices if another is loaded at the same time: then it returns no table.
const alone = `#include <fcntl.h>
#include <unistd.h>
static int table[1000] = {sizeof table, [8] = 9};
void *GetPjrtApi(void) {
	int file = open("%s", O_CREAT | O_EXCL, 0600);
	if (file < 0)
		return 0;
	usleep(200000);
	unlink("%s");
	close(file);
	return table;
}
`

// TestInstallOneAtATime loads a plugin for CPUs and one for GPUs at the same time: interpose.c has one list for both.
func TestInstallOneAtATime(t *testing.T) {
	if proxy.Processor(backendtest.Open(t).(*xla.Backend).PluginName()) == "" {
		t.Skip("this machine has no kernels")
	}
	busy := filepath.Join(t.TempDir(), "busy")
	plugin := fmt.Sprintf(alone, busy, busy)
	cpu, gpu := compiled(t, "cpu", plugin), compiled(t, "gpu", plugin)
	refused := make(chan error)
	go func() { refused <- proxy.Install(cpu) }()
	go func() { refused <- proxy.InstallGPU(gpu) }()
	for range 2 {
		require.ErrorContains(t, <-refused, "version")
	}
}
