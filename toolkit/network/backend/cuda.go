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

// nvidiaLibraries are the libraries that XLA's CUDA plugin and cuDNN look for by name when a program is compiled. Each
// stands after those that it uses itself.
var nvidiaLibraries = []string{
	"libcudart", "libnvJitLink", "libnvrtc", "libcublasLt", "libcublas", "libnccl", "libcupti",
	"libcusparse", "libcusolver", "libcufft", "libnvshmem_host", "libcudnn",
}

// loadNVIDIALibraries loads NVIDIA's libraries from Python's folder of packages, so that nobody has to set LD_LIBRARY_PATH,
// and returns their files. (JAX does the same.) If one is absent, the plugin searches the system for it, and fails with a
// message if it is not there.
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

// nvidiaFile returns a file that matches a pattern in a folder of NVIDIA's packages: in cu13 (later cu14) if it is there,
// else in a folder for one library, as for CUDA 12. Without such a file it returns "".
func nvidiaFile(sitePackages, pattern string) string {
	root := os.DirFS(filepath.Join(sitePackages, "nvidia")) // the path may itself contain a pattern's characters
	for _, folder := range []string{"cu[0-9]*", "*"} {
		if found, _ := fs.Glob(root, path.Join(folder, pattern)); len(found) > 0 {
			return filepath.Join(sitePackages, "nvidia", filepath.FromSlash(slices.Max(found)))
		}
	}
	return ""
}

// sitePackagesOf returns Python's folder of packages, in which a plugin lies as jax_plugins/xla_cuda13/plugin.so.
func sitePackagesOf(plugin Plugin) string {
	return filepath.Dir(filepath.Dir(filepath.Dir(plugin.Path)))
}

// prepareCUDA prepares what must be ready before the CUDA plugin is opened: its libraries, whose files it returns, XLA's
// flags, and the proxy, so that programs are compiled in the precision that the recipe asks for.
func prepareCUDA(plugin Plugin) (libraries []string) {
	libraries = loadNVIDIALibraries(sitePackagesOf(plugin))
	_ = os.Setenv(xlaFlagsEnv, xlaFlags(plugin, os.Getenv(xlaFlagsEnv)))
	if err := proxy.InstallGPU(plugin.Path); err != nil {
		if _, set := os.LookupEnv(tf32Env); !set {
			_ = os.Setenv(tf32Env, "0") // then NVIDIA's own switch keeps float32 in full precision
		}
	}
	return libraries
}

// tf32Env is the variable that, "0", forbids NVIDIA's libraries TF32.
const tf32Env = "NVIDIA_TF32_OVERRIDE"

// CheckDType returns an error that says in one sentence why the device cannot train in a recipe's type, or nil.
func CheckDType(b compute.Backend, dtype string) error {
	gpu := KindOf(b) == CUDA
	switch {
	case dtype == "tf32" && !gpu:
		return errors.New("tf32 is a number format of NVIDIA GPUs: on this device take --dtype float32")
	case dtype == "tf32" && os.Getenv(tf32Env) == "0":
		return fmt.Errorf("%s=0 forbids TF32: unset it (and %s), or take --dtype float32", tf32Env, kernels.Environment)
	case dtype == "bf16-products" && gpu:
		return errors.New("bf16-products is for CPUs: on this device take --dtype tf32")
	case dtype == "bf16-products" && Describe(b).Kernels == "":
		return errors.New("bf16-products needs our kernels, which `stochdepth doctor` does not find here: take --dtype float32")
	}
	return nil
}

const xlaFlagsEnv = "XLA_FLAGS"

// GraphEnvironment is the variable that, "on", asks XLA to make one CUDA graph of a step with its loops. Without it
// each turn of a loop waits for the host to read the loop's condition; with it XLA computes the convolutions in the
// loops itself, unless autotuning on the device finds cuDNN's. Which is faster only a GPU can tell.
const GraphEnvironment = "STOCHDEPTH_CUDA_GRAPH"

// xlaFlags adds our flags to XLA's, except those that the user has set and those that the plugin does not know: it would
// end the program.
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
	// The fastest of cuDNN's algorithms for each convolution.
	add("xla_gpu_per_fusion_autotune_cache_dir", cacheFolder("autotune"))
	if os.Getenv(GraphEnvironment) == "on" {
		add("xla_gpu_experimental_enable_conv_fusion", "true")
		add("xla_gpu_enable_command_buffer", "+WHILE,+CONDITIONAL")
	}
	return flags
}

// cacheFolder returns a folder for files that may be lost, or "" if it cannot be made.
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

// knows reports whether a library's file contains the name of a flag as a C string, which ends with a zero byte.
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

// driverFolder is where NVIDIA's driver describes itself.
var driverFolder = "/proc/driver/nvidia"

// nameGPUs puts the GPUs' model before their descriptions, which are "cuda:0" whatever the model. If this machine has
// several models, it leaves the descriptions alone: the order of the devices is CUDA's choice.
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

// deviceAndDriver describes what a compiled program depends on beside the plugin: the device, its driver, and the
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
