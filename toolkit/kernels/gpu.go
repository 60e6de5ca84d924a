//go:build linux && amd64 && cgo && !nokernels

package kernels

// #include <stdlib.h>
// #include "interpose.h"
import "C"

import (
	"errors"
	"os"
	"sync"
	"unsafe"

	"github.com/gomlx/go-xla/pjrt"
)

// gpus are the plugins of InstallGPU and what came of it, by their paths.
var gpus struct {
	sync.Mutex
	plugins map[string]error
}

// InstallGPU loads the CUDA plugin at path into go-xla so that it compiles programs as RewriteForGPU writes
// them, and keeps what they become where KeepIn says. After an error go-xla can load it all the same.
func InstallGPU(path string) error {
	gpus.Lock()
	defer gpus.Unlock()
	if err, done := gpus.plugins[path]; done {
		return err
	}
	err := installGPU(path)
	if gpus.plugins == nil {
		gpus.plugins = make(map[string]error)
	}
	gpus.plugins[path] = err
	return err
}

func installGPU(path string) error {
	if os.Getenv(Environment) == "off" {
		return errors.New("switched off by " + Environment)
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var api unsafe.Pointer
	if problem := C.stochdepth_interpose(name, 0, &api); problem != nil {
		return errors.New(C.GoString(problem))
	}
	return pjrt.RegisterPreloadedPlugin(path, uintptr(api))
}

// forGPU reports whether the plugin at path is one of InstallGPU.
func forGPU(path string) bool {
	gpus.Lock()
	defer gpus.Unlock()
	err, ok := gpus.plugins[path]
	return ok && err == nil
}

// SetDevice says what executables of the plugin at path depend on beside the program and the plugin: the device
// and its driver. It is called before programs are compiled.
func SetDevice(path, description string) {
	kept.Lock()
	defer kept.Unlock()
	if kept.devices == nil {
		kept.devices = make(map[string]string)
	}
	kept.devices[path] = description
}
