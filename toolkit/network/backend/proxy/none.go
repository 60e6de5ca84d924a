//go:build !(linux && amd64 && cgo && !nokernels)

package proxy

import "errors"

// interpose says that there is nothing to stand before the plugin on this kind of machine, or that it was left out by a
// build tag.
func interpose(string, bool) error { return errors.New("not built in") }

// SetDevice does nothing.
func SetDevice(path, description string) {}

// KeepIn does nothing.
func KeepIn(folder string) string { return "" }

// Loaded is 0.
func Loaded() int { return 0 }
