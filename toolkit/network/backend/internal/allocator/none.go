//go:build !(linux && amd64 && cgo && !nokernels)

// Package allocator has no code for this kind of machine, or a build tag has left it out: memory is the C library's.
package allocator

// Start does nothing.
func Start() {}

// Started is false.
func Started() bool { return false }
