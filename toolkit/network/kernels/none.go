//go:build !(linux && amd64 && cgo && !nokernels)

// Package kernels has nothing for this kind of machine, or was left out by a build tag: XLA computes everything.
package kernels

import "unsafe"

// Processor is "".
func Processor() string { return "" }

// Functions are none.
func Functions() map[string]unsafe.Pointer { return nil }
