//go:build !linux

package backend

// TuneAllocator does nothing: see its form for Linux.
func TuneAllocator() {}
