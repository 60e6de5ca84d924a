//go:build linux && amd64 && cgo && !nokernels

// Package kernels computes a network's blocks on the CPU faster than XLA does: convolutions by Winograd's
// method, and a block's normalisations, ReLUs and saved values in the same passes over the memory.
//
// XLA's CPU plugin still compiles and runs the whole program. This package stands between it and go-xla:
// in the program to be compiled it replaces what it recognises (the bodies of the loops of package
// byhand, by digests of their text, and 3x3 convolutions elsewhere) by calls of its own C functions, which are registered with
// XLA as foreign functions and run on XLA's threads. It takes float32 with stride 1 or 2 and channels in
// multiples of 16; all else stays XLA's, and so does everything on processors without AVX2, on GPUs, under
// the build tag nokernels, and where the environment says STOCHDEPTH_KERNELS=off. In the same place it keeps
// what XLA compiled for the next start.
//
// For NVIDIA GPUs XLA computes all, but of programs that pass through here too (precision.go).
//
// The files, from the outside in: interpose.c (between go-xla and the plugin), executables.go
// (what is kept), rewrite.go, loops.go, digest.go and inplace.go (the program), calls.c (what XLA calls), forward.c,
// backward.c, stem.c, inference.c and convolution.c (a part of the network; block.h lists them), layer.c (a convolution with
// its normalisation), image.h, winograd.h and winograd_gradient.h (one image), parallel.c and workspace.c.
package kernels

/*
#cgo CFLAGS: -O3 -Wno-psabi
#cgo LDFLAGS: -ldl -lm
#include <stdlib.h>
#include "block.h"
#include "interpose.h"
*/
import "C"

import (
	"errors"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/gomlx/go-xla/pjrt"
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

// interpose loads the plugin at path into go-xla with interpose.c before it, and with the kernels as foreign functions
// if functions is 1.
func interpose(path string, functions C.int) error {
	switch choice, err := Choice(); {
	case err != nil:
		return err
	case choice == "off":
		return errors.New("switched off by " + Environment)
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var api unsafe.Pointer
	if problem := C.stochdepth_interpose(name, functions, &api); problem != nil {
		return errors.New(C.GoString(problem))
	}
	return pjrt.RegisterPreloadedPlugin(path, uintptr(api))
}

// extensions are those of the processor that the kernels use, "AVX-512" or "AVX2", or "" if it has neither.
var extensions = sync.OnceValue(func() string {
	version := C.int(0)
	if choice, _ := Choice(); choice == "avx2" {
		version = 2
	}
	return C.GoString(C.stochdepth_processor(version))
})

// Install loads the CPU plugin at path into go-xla with the kernels in it. Its error says why the plugin
// has none: go-xla can load it all the same.
func Install(path string) error {
	return withKernels.once(path, func(path string) error {
		if extensions() == "" {
			return errors.New("the processor has no AVX2")
		}
		return interpose(path, 1)
	})
}

// InstallGPU loads the CUDA plugin at path into go-xla so that it compiles programs as RewriteForGPU writes
// them, and keeps what they become where KeepIn says. After an error go-xla can load it all the same.
func InstallGPU(path string) error {
	return forGPUs.once(path, func(path string) error { return interpose(path, 0) })
}

// Processor is what the kernels of the plugin at path use of the processor, "AVX-512" or "AVX2", or "" if
// it has none.
func Processor(path string) string {
	if !withKernels.has(path) {
		return ""
	}
	return extensions()
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
