//go:build !(linux && amd64 && cgo && !nokernels)

// Package proxy lets programs pass as they are on this kind of machine, or was left out by a build tag: XLA computes
// everything.
package proxy

import "errors"

// Install says that there are no kernels.
func Install(path string) error { return errors.New("not built in") }

// InstallGPU says that programs do not pass through here.
func InstallGPU(path string) error { return errors.New("not built in") }

// SetDevice does nothing.
func SetDevice(path, description string) {}

// Processor is "".
func Processor(path string) string { return "" }

// Replaced is 0.
func Replaced() int { return 0 }

// KeepIn does nothing.
func KeepIn(folder string) string { return "" }

// Loaded is 0.
func Loaded() int { return 0 }

// Watch does nothing.
func Watch(f func(program string)) {}
