//go:build linux && amd64 && cgo && !nokernels

// Package kernels computes a network's blocks on the CPU faster than XLA does: convolutions by Winograd's method, and a
// block's normalisations, ReLUs and saved values in the same passes over the memory. It takes float32 with stride 1 or 2
// and channels in multiples of 16, on processors with AVX2. Convolutions are also there for factors rounded to bfloat16, by
// the processor's tiles (AMX) if it has them.
//
// It is arithmetic in C, which XLA calls on its own threads, and the description of it: the loops of package byhand that
// it computes (bodies.txt), the sizes that it takes, the choice of AVX-512 or AVX2. Package proxy puts the calls into the
// programs. The build tag nokernels leaves the C code out.
//
// The files, from the outside in: calls.c (what XLA calls), forward.c, backward.c, stem.c, inference.c and convolution.c
// (a part of the network; block.h lists them), columns.c (a normalisation's sums), layer.c (a convolution with its
// normalisation), image.h with winograd.h, winograd_gradient.h and rounded.h, and amx.c (one image), parallel.c and workspace.c.
package kernels

/*
#cgo CFLAGS: -O3 -Wno-psabi
#cgo LDFLAGS: -lm
#include "block.h"
#include "calls.h"
*/
import "C"

import (
	"sync"
	"unsafe"
)

// Processor returns the instructions that the kernels use, "AVX-512" or "AVX2", or "" if the processor has neither: then
// they compute nothing.
var Processor = sync.OnceValue(func() string {
	version := C.int(0)
	if choice, _ := Choice(); choice == "avx2" {
		version = 2
	}
	return C.GoString(C.stochdepth_processor(version))
})

// Tiles reports whether the kernels multiply factors rounded to bfloat16 by the processor's tiles (AMX). Without them they
// multiply these factors in float32, several times slower, to the same sums but for rounding.
func Tiles() bool { return Processor() != "" && C.stochdepth_tiles() != 0 }

// Functions returns the C functions that XLA can call (calls.h), by their names in programs. They must not be called if
// [Processor] is "".
func Functions() map[string]unsafe.Pointer {
	return map[string]unsafe.Pointer{
		"stochdepth_forward":                 unsafe.Pointer(C.stochdepth_call_forward),
		"stochdepth_backward":                unsafe.Pointer(C.stochdepth_call_backward),
		"stochdepth_test":                    unsafe.Pointer(C.stochdepth_call_test),
		"stochdepth_stem":                    unsafe.Pointer(C.stochdepth_call_stem),
		"stochdepth_stem_gradient":           unsafe.Pointer(C.stochdepth_call_stem_gradient),
		"stochdepth_convolve":                unsafe.Pointer(C.stochdepth_call_convolve),
		"stochdepth_kernel_gradient":         unsafe.Pointer(C.stochdepth_call_kernel_gradient),
		"stochdepth_forward_rounded":         unsafe.Pointer(C.stochdepth_call_forward_rounded),
		"stochdepth_backward_rounded":        unsafe.Pointer(C.stochdepth_call_backward_rounded),
		"stochdepth_test_rounded":            unsafe.Pointer(C.stochdepth_call_test_rounded),
		"stochdepth_stem_rounded":            unsafe.Pointer(C.stochdepth_call_stem_rounded),
		"stochdepth_stem_gradient_rounded":   unsafe.Pointer(C.stochdepth_call_stem_gradient_rounded),
		"stochdepth_convolve_rounded":        unsafe.Pointer(C.stochdepth_call_convolve_rounded),
		"stochdepth_kernel_gradient_rounded": unsafe.Pointer(C.stochdepth_call_kernel_gradient_rounded),
		"stochdepth_moments":                 unsafe.Pointer(C.stochdepth_call_moments),
		"stochdepth_moments_gradient":        unsafe.Pointer(C.stochdepth_call_moments_gradient),
		"stochdepth_memory":                  unsafe.Pointer(C.stochdepth_call_memory),
	}
}
