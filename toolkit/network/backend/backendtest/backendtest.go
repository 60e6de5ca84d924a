// Package backendtest opens the backend for tests, and finds the C compiler.
package backendtest

import (
	"cmp"
	"os"
	"sync"
	"testing"

	"github.com/gomlx/compute"

	"stochdepth/toolkit/network/backend"
)

var opened = sync.OnceValues(backend.Open)

// Open returns the backend that all tests of a package share: a tensor or variable stays with the backend that used it
// first. A missing plugin fails the test with the sentence that says what to do.
func Open(t testing.TB) compute.Backend {
	t.Helper()
	b, err := opened()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Compiler returns the name of the C compiler.
func Compiler() string { return cmp.Or(os.Getenv("CC"), "cc") }
