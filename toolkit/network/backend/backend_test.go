package backend

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
)

// newProject makes a project's folder, in a path with difficult characters, with empty files in place of plugins. GoMLX's
// own places are not searched: go-xla reads only once, at the start of the program, where they are.
func newProject(t *testing.T, gpu bool, plugins ...string) (root string) {
	root = filepath.Join(t.TempDir(), "my [cuda] clone")
	for _, plugin := range plugins {
		writeFile(t, filepath.Join(root, ".venv/lib/python3.12/site-packages", plugin), "")
	}
	writeFile(t, filepath.Join(root, "go.mod"), "module "+project.Module+"\n")
	t.Setenv(project.EnvRoot, root)
	t.Setenv(Environment, "")
	before := hasGPU
	hasGPU = func() bool { return gpu }
	t.Cleanup(func() { hasGPU = before })
	return root
}

func writeFile(t *testing.T, path, content string) {
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

const (
	cpuPlugin  = "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"
	cudaPlugin = "jax_plugins/xla_cuda13/xla_cuda_plugin.so"
	xlaCUDA    = "xla_plugins/xla_cuda13_pjrt/xla_gpu_pjrt.so"
	rocmPlugin = "jax_plugins/xla_rocm7/xla_rocm_plugin.so"
)

func TestFindChoosesByMachineAndRequest(t *testing.T) {
	if len(installedByGoXLA()) > 0 {
		t.Skip("go-xla's own plugins on this machine would be found too")
	}
	tests := []struct {
		name      string
		gpu       bool
		installed []string
		config    string
		want      string // plugin, or the error's text
		kind      string
		options   string
	}{
		{name: "CPU alone", installed: []string{cpuPlugin}, want: cpuPlugin, kind: CPU},
		{name: "CPU alone beside a GPU", gpu: true, installed: []string{cpuPlugin}, want: cpuPlugin, kind: CPU},
		{name: "both and a GPU", gpu: true, installed: []string{cpuPlugin, cudaPlugin}, want: cudaPlugin, kind: CUDA},
		{name: "both without a GPU", installed: []string{cpuPlugin, cudaPlugin}, want: cpuPlugin, kind: CPU},
		{name: "kind from the folder", gpu: true, installed: []string{cpuPlugin, xlaCUDA}, want: xlaCUDA, kind: CUDA},
		{name: "CPU asked for", gpu: true, installed: []string{cpuPlugin, cudaPlugin}, config: "xla:cpu", want: cpuPlugin, kind: CPU},
		{name: "CUDA asked for", installed: []string{cpuPlugin, cudaPlugin}, config: "xla:cuda,preallocate=true",
			want: cudaPlugin, kind: CUDA, options: "preallocate=true"},
		{name: "options alone", installed: []string{cpuPlugin}, config: "xla:,noshared_buffers",
			want: cpuPlugin, kind: CPU, options: "noshared_buffers"},
		{name: "nothing", want: "no PJRT plugin is installed: run `make setup`"},
		{name: "CUDA asked for in vain", installed: []string{cpuPlugin}, config: "xla:cuda", want: "run `make setup PLUGIN=cuda13`"},
		{name: "CUDA alone without a GPU", installed: []string{cudaPlugin}, want: "shows no NVIDIA GPU: run `make setup`"},
		{name: "ROCm beside CPU", gpu: true, installed: []string{rocmPlugin, cpuPlugin}, want: cpuPlugin, kind: CPU},
		{name: "ROCm asked for", installed: []string{cpuPlugin, rocmPlugin}, config: "xla:rocm", want: rocmPlugin, kind: ROCm},
		{name: "ROCm asked for in vain", installed: []string{cpuPlugin}, config: "xla:rocm",
			want: "set GOMLX_BACKEND=xla:/path/to/xla_rocm_plugin.so"},
		{name: "ROCm alone", gpu: true, installed: []string{rocmPlugin},
			want: "no PJRT plugin is installed except ROCm's, which has never been tried with this toolkit: run `make setup`"},
		{name: "unknown name", installed: []string{cpuPlugin}, config: "xla:tpu", want: `of the name "tpu"`},
		{name: "another backend", installed: []string{cpuPlugin}, config: "go",
			want: "names a backend that this toolkit cannot train on"},
		{name: "missing file", installed: []string{cpuPlugin}, config: "xla:/no/such plugin.so",
			want: "GOMLX_BACKEND names /no/such plugin.so, but there is no such file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := newProject(t, test.gpu, test.installed...)
			t.Setenv(Environment, test.config)
			plugin, err := Find()
			if test.kind == "" {
				require.ErrorContains(t, err, test.want)
				require.Zero(t, plugin)
				return
			}
			require.NoError(t, err)
			require.Equal(t, filepath.Join(root, ".venv/lib/python3.12/site-packages", test.want), plugin.Path)
			require.Equal(t, test.kind, plugin.Kind)
			require.Equal(t, test.options, plugin.Options)
		})
	}
}

// A program of one's own often runs outside the project's folder, whose .venv it should still find.
func TestFindOutsideTheProject(t *testing.T) {
	if len(installedByGoXLA()) > 0 {
		t.Skip("go-xla's own plugins on this machine would be found")
	}
	newProject(t, false, cpuPlugin)
	t.Setenv(project.EnvRoot, "")
	t.Chdir(t.TempDir())
	_, err := Find()
	require.EqualError(t, err, "no PJRT plugin is installed in go-xla's folders, and the project's folder was not found: "+
		"run inside it, or set STOCHDEPTH_ROOT to it")
	require.ErrorIs(t, err, ErrNoPlugin)
}

func TestFindTakesTheFileThatIsNamed(t *testing.T) {
	root := newProject(t, false, cpuPlugin)
	own := filepath.Join(root, "own plugins", "libcuda_plugin.so")
	writeFile(t, own, "")
	t.Setenv(Environment, "xla:"+own+",preallocate=true")
	plugin, err := Find()
	require.NoError(t, err)
	require.Equal(t, Plugin{Path: own, Kind: CUDA, Source: "named by GOMLX_BACKEND", Options: "preallocate=true"}, plugin)
}

// GoMLX guesses from the whole path, and guesses wrong in a folder called "cuda" or "cpu".
func TestOptionsSayWhetherMemoryIsShared(t *testing.T) {
	require.Equal(t, "shared_buffers", Plugin{Kind: CPU}.options())
	require.Equal(t, "notf32,noshared_buffers", Plugin{Kind: CUDA}.options())
	require.Equal(t, "tf32=true,noshared_buffers", Plugin{Kind: CUDA, Options: "tf32=true"}.options())
	require.Equal(t, "noshared_buffers", Plugin{Kind: ROCm}.options())
	require.Equal(t, "noshared_buffers", Plugin{Kind: CPU, Options: "noshared_buffers"}.options())
}

func TestOpenRefusesInOneSentence(t *testing.T) {
	folder := t.TempDir()
	broken := filepath.Join(folder, "xla_cpu_pjrt.so")
	writeFile(t, broken, "not a library")
	_, err := OpenPlugin(Plugin{Path: broken, Kind: CPU, Source: "in a test"})
	require.ErrorContains(t, err, "does not open (in a test): if it should, `make clean setup`")
	require.NotContains(t, err.Error(), "\n")
	_, err = OpenPlugin(Plugin{Path: broken, Kind: ROCm, Source: "in a test"})
	require.ErrorContains(t, err, "does not open (in a test): rocminfo tells whether ROCm finds an AMD GPU here, "+
		"and GOMLX_BACKEND=xla:cpu")
	_, err = OpenPlugin(Plugin{Path: "/a,b/xla_cpu_pjrt.so", Kind: CPU})
	require.ErrorContains(t, err, "without commas")
}

// The plugin computes, also if GoMLX would take its path for CUDA's.
func TestOpenComputes(t *testing.T) {
	plugin, err := Find()
	if err != nil {
		t.Skip(err)
	}
	if plugin.Kind == CPU {
		link := filepath.Join(t.TempDir(), "a cuda folder", "xla_cpu_pjrt.so")
		require.NoError(t, os.MkdirAll(filepath.Dir(link), 0o755))
		require.NoError(t, os.Symlink(plugin.Path, link))
		plugin.Path = link
	}
	b, err := OpenPlugin(plugin)
	require.NoError(t, err)
	defer b.Finalize()

	info := Describe(b)
	require.Equal(t, filepath.Base(plugin.Path), info.Plugin)
	require.Equal(t, plugin.Kind, info.Kind)
	require.Regexp(t, `^0\.\d+$`, info.PJRT)
	require.Len(t, info.Devices, b.NumDevices())
	require.NotEmpty(t, info.Devices)

	sum := graph.MustNewExec(b, func(x, y *graph.Node) *graph.Node {
		return graph.ReduceAllSum(graph.Mul(x, y))
	}).MustCall([]float64{1, 2, 3}, []float64{4, 5, 6})[0]
	require.Equal(t, 32.0, sum.Value())
}

func TestLoadNVIDIALibraries(t *testing.T) {
	packages := filepath.Join(t.TempDir(), "site packages")
	require.Empty(t, loadNVIDIALibraries(packages))

	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler named cc")
	}
	library := filepath.Join(packages, "nvidia/cudnn/lib/libcudnn.so.9")
	writeFile(t, filepath.Join(packages, "empty.c"), "")
	require.NoError(t, os.MkdirAll(filepath.Dir(library), 0o755))
	output, err := exec.Command(compiler, "-shared", "-o", library, filepath.Join(packages, "empty.c")).CombinedOutput()
	require.NoError(t, err, string(output))
	require.Equal(t, []string{library}, loadNVIDIALibraries(packages))
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	require.Contains(t, string(maps), library)
}

// GPUs of the same model get its name; if there are several models, all keep XLA's names.
func TestNameGPUs(t *testing.T) {
	driverFolder = t.TempDir()
	t.Cleanup(func() { driverFolder = "/proc/driver/nvidia" })
	named := func() []string {
		devices := []string{"cuda:0", "cuda:1"}
		nameGPUs(devices)
		return devices
	}
	t.Setenv("PATH", "")
	require.Equal(t, []string{"cuda:0", "cuda:1"}, named(), "no driver")
	addGPU := func(gpu, model string) {
		writeFile(t, filepath.Join(driverFolder, "gpus", gpu, "information"), "Model: \t\t "+model+"\nIRQ:   \t\t 56\n")
	}
	addGPU("0000:01:00.0", "NVIDIA H200")
	addGPU("0000:02:00.0", "NVIDIA H200")
	require.Equal(t, []string{"NVIDIA H200 (cuda:0)", "NVIDIA H200 (cuda:1)"}, named())
	addGPU("0000:02:00.0", "NVIDIA T4")
	require.Equal(t, []string{"cuda:0", "cuda:1"}, named(), "two models")
}

// Those flags are added that the plugin knows and the user has not set.
func TestXLAFlags(t *testing.T) {
	root := newProject(t, true)
	packages := filepath.Join(root, ".venv/lib/python3.12/site-packages")
	plugin := Plugin{Path: filepath.Join(packages, cudaPlugin), Kind: CUDA}
	const cache, data = "xla_gpu_per_fusion_autotune_cache_dir", "xla_gpu_cuda_data_dir"
	writeFile(t, plugin.Path, strings.Repeat("x", 4<<20-7)+cache+"\x00"+data+"_of_another_name\x00")
	require.Equal(t, `--`+cache+`="`+filepath.Join(root, "data/cache/autotune")+`"`, xlaFlags(plugin, ""))
	require.DirExists(t, filepath.Join(root, "data/cache/autotune"))
	require.Equal(t, "--"+cache+"=mine", xlaFlags(plugin, "--"+cache+"=mine"))
	require.Equal(t, "flags.txt", xlaFlags(plugin, "flags.txt"))

	const fusion, graph = "xla_gpu_experimental_enable_conv_fusion", "xla_gpu_enable_command_buffer"
	writeFile(t, plugin.Path, fusion+"\x00"+graph+"\x00")
	require.Empty(t, xlaFlags(plugin, ""))
	t.Setenv(GraphEnvironment, "on")
	require.Equal(t, `--`+fusion+`="true" --`+graph+`="+WHILE,+CONDITIONAL"`, xlaFlags(plugin, ""))

	writeFile(t, plugin.Path, data+"\x00")
	require.Equal(t, "--xla_other", xlaFlags(plugin, "--xla_other"), "neither the flag nor libdevice is there")
	for _, folder := range []string{"cuda_nvcc", "cu13"} { // cu13 is preferred once it is there
		writeFile(t, filepath.Join(packages, "nvidia", folder, "nvvm/libdevice/libdevice.10.bc"), "")
		require.Equal(t, `--xla_other --`+data+`="`+filepath.Join(packages, "nvidia", folder)+`"`, xlaFlags(plugin, "--xla_other"))
	}
}

func TestPrecisionsOfDevices(t *testing.T) {
	b, err := Open()
	if err != nil || Describe(b).Kind != CPU {
		t.Skip("needs the CPU plugin")
	}
	defer b.Finalize()
	require.NoError(t, CheckDType(b, "float32"))
	require.EqualError(t, CheckDType(b, "tf32"), "tf32 is a number format of NVIDIA GPUs: on this device take --dtype float32")
	if Describe(b).Kernels != "" {
		require.NoError(t, CheckDType(b, "bf16-products"))
		return
	}
	require.EqualError(t, CheckDType(b, "bf16-products"),
		"bf16-products needs our kernels, which `stochdepth doctor` does not find here: take --dtype float32")
}
