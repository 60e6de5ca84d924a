//go:build linux && amd64 && cgo && !nokernels

// Package proxy stands between go-xla and XLA's plugin, which still compiles and runs the whole program. For the CPU it
// replaces what it recognises in the program to be compiled (the bodies of the loops of package byhand, by digests of
// their text, and 3x3 convolutions elsewhere) by calls of package kernels, whose functions it registers with XLA as foreign
// ones. All that the kernels do not compute stays XLA's, and so does everything on processors without AVX2, under the build
// tag nokernels, and where the environment says STOCHDEPTH_KERNELS=off. For NVIDIA GPUs XLA computes all, but of programs
// that pass through here too (precision.go). In the same place it keeps what XLA compiled for the next start.
//
// The files, from the outside in: interpose.c (between go-xla and the plugin; pjrt.h), executables.go (what is kept),
// rewrite.go, loops.go, digest.go, inplace.go and precision.go (the program).
package proxy

/*
#cgo CFLAGS: -O3
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "interpose.h"
*/
import "C"

import (
	"errors"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/gomlx/go-xla/pjrt"

	"stochdepth/toolkit/network/kernels"
)

// installing is held while a plugin is loaded into go-xla through interpose.c, which takes one at a time, of whatever kind,
// and while it is asked what came of it.
var installing sync.Mutex

// installations are plugins that were to be loaded so, and what came of it, by their paths.
type installations map[string]error

var withKernels, forGPUs = make(installations), make(installations)

// once installs the plugin at path if that was not tried before, and returns what came of it.
func (i installations) once(path string, install func(path string) error) error {
	installing.Lock()
	defer installing.Unlock()
	if err, done := i[path]; done {
		return err
	}
	i[path] = install(path)
	return i[path]
}

// has reports whether the plugin at path is installed.
func (i installations) has(path string) bool {
	installing.Lock()
	defer installing.Unlock()
	err, done := i[path]
	return done && err == nil
}

// interpose loads the plugin at path into go-xla with interpose.c before it, and with foreign functions.
func interpose(path string, functions map[string]unsafe.Pointer) error {
	switch choice, err := kernels.Choice(); {
	case err != nil:
		return err
	case choice == "off":
		return errors.New("switched off by " + kernels.Environment)
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var table []C.foreign_function
	for target, handler := range functions {
		target := C.CString(target)
		defer C.free(unsafe.Pointer(target))
		table = append(table, C.foreign_function{target: target, handler: handler})
	}
	var api unsafe.Pointer
	if problem := C.stochdepth_interpose(name, unsafe.SliceData(table), C.size_t(len(table)), &api); problem != nil {
		return errors.New(C.GoString(problem))
	}
	return pjrt.RegisterPreloadedPlugin(path, uintptr(api))
}

// Install loads the CPU plugin at path into go-xla with the kernels in it. Its error says why the plugin
// has none: go-xla can load it all the same.
func Install(path string) error {
	return withKernels.once(path, func(path string) error {
		if kernels.Processor() == "" {
			return errors.New("the processor has no AVX2")
		}
		return interpose(path, kernels.Functions())
	})
}

// InstallGPU loads the CUDA plugin at path into go-xla so that it compiles programs as RewriteForGPU writes
// them, and keeps what they become where KeepIn says. After an error go-xla can load it all the same.
func InstallGPU(path string) error {
	return forGPUs.once(path, func(path string) error { return interpose(path, nil) })
}

// Processor is what the kernels of the plugin at path use of the processor, "AVX-512" or "AVX2", or "" if
// it has none.
func Processor(path string) string {
	if !withKernels.has(path) {
		return ""
	}
	return kernels.Processor()
}

var replaced atomic.Int64

// Replaced counts the pieces of programs that calls of the kernels have replaced so far.
func Replaced() int { return int(replaced.Load()) }

var watching atomic.Pointer[func(program string)]

// Watch calls f with each program to be compiled from now on, as it was before Rewrite; nil ends that. It is
// for tests.
func Watch(f func(program string)) {
	if f == nil {
		watching.Store(nil)
		return
	}
	watching.Store(&f)
}

//export stochdepthRewrite
func stochdepthRewrite(path, code *C.char, size C.size_t, newSize *C.size_t) *C.char {
	original := C.GoStringN(code, C.int(size))
	if f := watching.Load(); f != nil {
		(*f)(original)
	}
	var program string
	if forGPUs.has(C.GoString(path)) {
		program = RewriteForGPU(original)
	} else {
		var calls int
		program, calls = Rewrite(original)
		replaced.Add(int64(calls))
	}
	if program == original {
		return nil
	}
	*newSize = C.size_t(len(program))
	return C.CString(program)
}
