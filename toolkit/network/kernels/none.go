//go:build !(linux && amd64 && cgo && !nokernels)

// Package kernels has no code for this kind of machine, or a build tag has left it out: XLA computes everything.
package kernels

import "unsafe"

// Processor is "".
func Processor() string { return "" }

// Tiles is false.
func Tiles() bool { return false }

// Functions is empty.
func Functions() map[string]unsafe.Pointer { return nil }
