//go:build linux && amd64 && cgo && !nokernels

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
	"unsafe"

	"github.com/gomlx/go-xla/pjrt"

	"stochdepth/toolkit/network/kernels"
)

// interpose loads the plugin at path into go-xla through interpose.c. Unless it is for a GPU, it gets the kernels as foreign
// functions.
func interpose(path string, gpu bool) error {
	if !gpu && kernels.Processor() == "" {
		return errors.New("the processor has no AVX2")
	}
	switch choice, err := kernels.Choice(); {
	case err != nil:
		return err
	case choice == "off":
		return errors.New("switched off by " + kernels.Environment)
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var table []C.foreign_function
	if !gpu {
		for target, handler := range kernels.Functions() {
			target := C.CString(target)
			defer C.free(unsafe.Pointer(target))
			table = append(table, C.foreign_function{target: target, handler: handler})
		}
	}
	var api unsafe.Pointer
	if problem := C.stochdepth_interpose(name, unsafe.SliceData(table), C.size_t(len(table)), &api); problem != nil {
		return errors.New(C.GoString(problem))
	}
	return pjrt.RegisterPreloadedPlugin(path, uintptr(api))
}

// rewrite returns the program that the plugin at path compiles in place of another.
func rewrite(path, program string) string {
	if f := watching.Load(); f != nil && !(*f)(program) {
		return "only its text was wanted" // which XLA refuses
	}
	if isInstalled(path, true) {
		return RewriteForGPU(program)
	}
	program, calls := Rewrite(program)
	replaced.Add(int64(calls))
	return program
}

// view returns C's memory as a slice, valid during the call.
func view(data *C.char, size C.size_t) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(data)), size)
}

//export stochdepthRewrite
func stochdepthRewrite(path, code *C.char, size C.size_t, newSize *C.size_t) *C.char {
	original := C.GoStringN(code, C.int(size))
	program := rewrite(C.GoString(path), original)
	if program == original {
		return nil
	}
	*newSize = C.size_t(len(program))
	return C.CString(program)
}

//export stochdepthFind
func stochdepthFind(path, program *C.char, programSize C.size_t, options *C.char, optionsSize C.size_t,
	size *C.size_t) unsafe.Pointer {
	executable := find(executableFile(C.GoString(path), view(program, programSize), view(options, optionsSize)))
	if executable == nil {
		return nil
	}
	*size = C.size_t(len(executable))
	return C.CBytes(executable)
}

//export stochdepthLoaded
func stochdepthLoaded() { loaded.Add(1) }

//export stochdepthKeep
func stochdepthKeep(path, program *C.char, programSize C.size_t, options *C.char, optionsSize C.size_t,
	executable *C.char, size C.size_t) {
	if file := executableFile(C.GoString(path), view(program, programSize), view(options, optionsSize)); file != "" {
		_ = keep(file, view(executable, size))
	}
}
