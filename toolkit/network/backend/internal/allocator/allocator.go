//go:build linux && amd64 && cgo && !nokernels

// Package allocator keeps large blocks of memory from one training step to the next. A program that links it has this
// posix_memalign and free before the C library's (allocator.c); until [Start] they pass on all that they are asked for.
package allocator

/*
#cgo CFLAGS: -O3
#cgo LDFLAGS: -ldl
#include "allocator.h"
*/
import "C"

import "sync"

// Start has large blocks kept from now on, to the end of the process. What was asked for before stays the C library's.
var Start = sync.OnceFunc(func() { C.stochdepth_start_allocator() })

// Started reports whether large blocks are kept.
func Started() bool { return C.stochdepth_allocator_started() != 0 }
