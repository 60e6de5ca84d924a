//go:build !(linux && amd64 && cgo && !nokernels)

// Package allocator has nothing for this kind of machine, or was left out by a build tag: memory is the C library's.
package allocator

// Start does nothing.
func Start() {}

// Started is false.
func Started() bool { return false }
