// Package own keeps what a program adds to the toolkit under a name: rules, schedules and data sets of its own.
package own

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
)

// Registry has values by their names. The zero value is empty; several goroutines may use one.
type Registry[T any] struct {
	mu     sync.Mutex
	values map[string]T
}

// Name is what names in recipes look like: small letters, digits and hyphens.
var Name = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// Add puts a value of a kind, such as "rule", under a name. It may replace one that was added before, as when a notebook's
// cell was edited, but not one of the toolkit's own, whose names are taken.
func (r *Registry[T]) Add(kind, name string, value T, taken []string) error {
	if !Name.MatchString(name) {
		return fmt.Errorf("%q is no name for a %s: use small letters, digits and hyphens, a letter first", name, kind)
	}
	if slices.Contains(taken, name) {
		return fmt.Errorf("the name %q for a %s is taken: give yours another name", name, kind)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.values == nil {
		r.values = make(map[string]T)
	}
	r.values[name] = value
	return nil
}

// Find returns the value of a name.
func (r *Registry[T]) Find(name string) (value T, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	value, ok = r.values[name]
	return value, ok
}

// Names lists the names, sorted.
func (r *Registry[T]) Names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.values))
}
