package backend

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// The library stays loaded: later searches by its name find it.
static int load(const char *path) { return dlopen(path, RTLD_LAZY | RTLD_LOCAL) != NULL; }
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"github.com/gomlx/compute"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/kernels"
)

// nvidiaLibraries are what XLA's CUDA plugin and cuDNN look for by name when a
// program is compiled, each after those that it uses itself.
var nvidiaLibraries = []string{
	"libcudart", "libnvJitLink", "libnvrtc", "libcublasLt", "libcublas", "libnccl", "libcupti",
	"libcusparse", "libcusolver", "libcufft", "libnvshmem_host", "libcudnn",
}

// loadNVIDIALibraries loads NVIDIA's libraries from Python's folder of packages,
// so that nobody has to set LD_LIBRARY_PATH, and returns their files. (JAX does the
// same.) Where one is absent the plugin searches the system for it, and says so if
// it fails.
func loadNVIDIALibraries(sitePackages string) (loaded []string) {
	for _, library := range nvidiaLibraries {
		file := nvidiaFile(sitePackages, "lib/"+library+".so.[0-9]*")
		if file == "" {
			continue
		}
		name := C.CString(file)
		if C.load(name) != 0 {
			loaded = append(loaded, file)
		}
		C.free(unsafe.Pointer(name))
	}
	return loaded
}

// nvidiaFile is the file of a pattern below one of the folders of NVIDIA's packages: of cu13 (later cu14)
// first, else of one a library, as for CUDA 12; or "".
func nvidiaFile(sitePackages, pattern string) string {
	root := os.DirFS(filepath.Join(sitePackages, "nvidia")) // the path may itself hold a pattern's characters
	for _, folder := range []string{"cu[0-9]*", "*"} {
		if found, _ := fs.Glob(root, path.Join(folder, pattern)); len(found) > 0 {
			return filepath.Join(sitePackages, "nvidia", filepath.FromSlash(slices.Max(found)))
		}
	}
	return ""
}

// sitePackagesOf is Python's folder of packages that a plugin lies in, .../jax_plugins/xla_cuda13/plugin.so.
func sitePackagesOf(plugin Plugin) string {
	return filepath.Dir(filepath.Dir(filepath.Dir(plugin.Path)))
}

// prepareCUDA does what is needed before the CUDA plugin is opened: its libraries, XLA's flags, and the programs
// that it gets, in the precision that the recipe says.
func prepareCUDA(plugin Plugin) (libraries []string) {
	libraries = loadNVIDIALibraries(sitePackagesOf(plugin))
	_ = os.Setenv(xlaFlagsEnv, xlaFlags(plugin, os.Getenv(xlaFlagsEnv)))
	if err := proxy.InstallGPU(plugin.Path); err != nil {
		if _, set := os.LookupEnv(tf32Env); !set {
			_ = os.Setenv(tf32Env, "0") // float32 is float32 by NVIDIA's own switch then
		}
	}
	return libraries
}

// tf32Env is the variable by which NVIDIA's libraries are forbidden TF32, "0".
const tf32Env = "NVIDIA_TF32_OVERRIDE"

// CheckDType says in one sentence why the device cannot compute in a type of a recipe, or returns nil.
func CheckDType(b compute.Backend, dtype string) error {
	switch {
	case dtype != "tf32":
		return nil
	case KindOf(b) != CUDA:
		return errors.New("tf32 is a number format of NVIDIA GPUs: on this device take --dtype float32")
	case os.Getenv(tf32Env) == "0":
		return fmt.Errorf("%s=0 forbids TF32: unset it (and %s), or take --dtype float32", tf32Env, kernels.Environment)
	}
	return nil
}

const xlaFlagsEnv = "XLA_FLAGS"

// GraphEnvironment is the variable that, "on", asks XLA to make one CUDA graph of a step with its loops. Without it
// each turn of a loop waits for the host to read the loop's condition; with it XLA computes the convolutions in the
// loops itself, unless autotuning on the device finds cuDNN's. Which is faster only a GPU can tell.
const GraphEnvironment = "STOCHDEPTH_CUDA_GRAPH"

// xlaFlags adds to the flags of XLA those that we want of a plugin, where the user has not set them. A plugin
// that does not know a flag would end the program.
func xlaFlags(plugin Plugin, flags string) string {
	if flags != "" && !strings.HasPrefix(strings.TrimSpace(flags), "-") {
		return flags // a file's name
	}
	add := func(flag, value string) {
		if value != "" && !strings.ContainsAny(value, `"'\`) && !strings.Contains(flags, "--"+flag+"=") && knows(plugin.Path, flag) {
			flags = strings.TrimSpace(fmt.Sprintf(`%s --%s="%s"`, flags, flag, value))
		}
	}
	// ptxas and libdevice
	if file := nvidiaFile(sitePackagesOf(plugin), "nvvm/libdevice/libdevice.10.bc"); file != "" {
		add("xla_gpu_cuda_data_dir", filepath.Dir(filepath.Dir(filepath.Dir(file))))
	}
	// Which of cuDNN's algorithms was the fastest, of each convolution.
	add("xla_gpu_per_fusion_autotune_cache_dir", cacheFolder("autotune"))
	if os.Getenv(GraphEnvironment) == "on" {
		add("xla_gpu_experimental_enable_conv_fusion", "true")
		add("xla_gpu_enable_command_buffer", "+WHILE,+CONDITIONAL")
	}
	return flags
}

// cacheFolder is a folder for what may be lost, or "".
func cacheFolder(name string) string {
	root, err := project.Root()
	if err != nil {
		return ""
	}
	folder := filepath.Join(root, "data", "cache", name)
	if err := disk.MkdirAll(folder); err != nil {
		return ""
	}
	return folder
}

// knows reports whether a library holds the name of a flag, as C writes texts.
func knows(file, flag string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	text := append([]byte(flag), 0)
	var window []byte
	chunk := make([]byte, 4<<20)
	for {
		n, err := f.Read(chunk)
		window = append(window, chunk[:n]...)
		if bytes.Contains(window, text) {
			return true
		}
		if err != nil {
			return false
		}
		window = append(window[:0], window[max(0, len(window)-len(text)):]...)
	}
}

// driverFolder is where NVIDIA's driver tells of itself.
var driverFolder = "/proc/driver/nvidia"

// nameGPUs puts the GPUs' model before their descriptions, which are "cuda:0" whatever the model. Where this machine has
// several models it leaves them alone: which of them is the first one, CUDA decides.
func nameGPUs(devices []string) {
	var models []string
	files, _ := filepath.Glob(filepath.Join(driverFolder, "gpus/*/information"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			if model, found := strings.CutPrefix(line, "Model:"); found {
				models = append(models, strings.TrimSpace(model))
			}
		}
	}
	if len(files) == 0 { // under WSL
		output, _ := exec.Command("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").Output()
		models = strings.FieldsFunc(strings.TrimSpace(string(output)), func(r rune) bool { return r == '\n' || r == '\r' })
	}
	slices.Sort(models)
	if models = slices.Compact(models); len(models) != 1 {
		return
	}
	for i, description := range devices {
		devices[i] = fmt.Sprintf("%s (%s)", models[0], description)
	}
}

// deviceAndDriver is what a compiled program depends on beside the plugin: the device, its driver, and the
// libraries whose algorithms were chosen.
func deviceAndDriver(devices, libraries []string) string {
	parts := append([]string{driverVersion()}, devices...)
	for _, library := range libraries {
		if info, err := os.Stat(library); err == nil {
			parts = append(parts, fmt.Sprint(library, info.Size(), info.ModTime().UnixNano()))
		}
	}
	return strings.Join(parts, "\n")
}
