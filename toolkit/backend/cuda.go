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
	"path/filepath"
	"unsafe"
)

// nvidiaLibraries are what XLA's CUDA plugin and cuDNN look for by name when a
// program is compiled, each after those that it uses itself. The folders are
// those of NVIDIA's Python packages for CUDA 13.
var nvidiaLibraries = []string{
	"cu13/lib/libcudart.so.13",
	"cu13/lib/libnvJitLink.so.13",
	"cu13/lib/libnvrtc.so.13",
	"cu13/lib/libcublasLt.so.13",
	"cu13/lib/libcublas.so.13",
	"nccl/lib/libnccl.so.2",
	"cu13/lib/libcupti.so.13",
	"cu13/lib/libcusparse.so.12",
	"cu13/lib/libcusolver.so.12",
	"cu13/lib/libcufft.so.12",
	"nvshmem/lib/libnvshmem_host.so.3",
	"cudnn/lib/libcudnn.so.9",
}

// loadNVIDIALibraries loads NVIDIA's libraries from Python's folder of packages,
// so that nobody has to set LD_LIBRARY_PATH. (JAX does the same.) Where one is
// absent the plugin searches the system for it, and says so if it fails.
func loadNVIDIALibraries(sitePackages string) (loaded int) {
	for _, library := range nvidiaLibraries {
		name := C.CString(filepath.Join(sitePackages, "nvidia", filepath.FromSlash(library)))
		loaded += int(C.load(name))
		C.free(unsafe.Pointer(name))
	}
	return loaded
}
