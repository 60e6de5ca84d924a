//go:build linux && amd64 && cgo && !nokernels

// Package allocator keeps large blocks of memory from one training step to the next. In a program that links it, its
// posix_memalign and free (allocator.c) replace the C library's; until [Start] they pass all requests on to these.
package allocator

/*
#cgo CFLAGS: -O3
#cgo LDFLAGS: -ldl
#include "allocator.h"
*/
import "C"

import "sync"

// Start makes it keep large blocks from now on, to the end of the process. Memory taken before stays the C library's.
var Start = sync.OnceFunc(func() { C.stochdepth_start_allocator() })

// Started reports whether large blocks are kept.
func Started() bool { return C.stochdepth_allocator_started() != 0 }
