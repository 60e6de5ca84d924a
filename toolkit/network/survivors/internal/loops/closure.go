package loops

import (
	"fmt"
	"reflect"
	"unsafe"

	. "github.com/gomlx/gomlx/core/graph"
)

// A repair of GoMLX v0.28 and go-xla v0.4. All functions of a graph share caches: of scalar and tensor constants
// (Graph), and of the small functions by which reductions combine two values (go-xla's Builder). But in XLA a function
// may use nothing of another one. So an operation in a closure that finds in a cache what the main function has made
// builds a program that is refused ("operands are not part of the function", "reductionFn is not a StableHLO closure of
// ..."). That happens to most operations with a number in them, and to Gradient. Therefore each closure gets empty caches
// while it is built. The caches are not exported; if another version than go.mod asks for has none of these names, the
// panic says so. If the libraries kept their caches by function, this file would be unnecessary.

// closure is NewClosure for a function that may use all of GoMLX's operations.
func closure(g *Graph, f func(g *Graph) []*Node) *Function {
	defer emptyCaches(g)()
	return NewClosure(g, f)
}

// cachesOfGraph and cachesOfBuilder are the names of the shared caches, which are all maps.
var (
	cachesOfGraph   = []string{"scalars", "tensorConstants"}
	cachesOfBuilder = []string{"cacheReductions", "cacheArgMinMax", "cacheSelections"}
)

// emptyCaches replaces the caches by empty ones and returns the function that puts them back. Only go-xla's backend has
// caches in its builder.
func emptyCaches(g *Graph) (putBack func()) {
	var undo []func()
	replace := func(owner reflect.Value, names []string) {
		for _, name := range names {
			cache := field(owner, name)
			old := reflect.New(cache.Type()).Elem()
			old.Set(cache)
			cache.Set(reflect.MakeMap(cache.Type()))
			undo = append(undo, func() { cache.Set(old) })
		}
	}
	graph := reflect.ValueOf(g).Elem()
	replace(graph, cachesOfGraph)
	if builder := field(graph, "builder").Elem().Elem(); builder.Type().PkgPath() == "github.com/gomlx/go-xla/compute/xla" {
		replace(builder, cachesOfBuilder)
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

// field returns a field of a struct that can be read and set although it is not exported.
func field(owner reflect.Value, name string) reflect.Value {
	f := owner.FieldByName(name)
	if !f.IsValid() {
		panic(fmt.Errorf("this version of %s keeps its caches differently from what "+
			"toolkit/network/survivors/internal/loops/closure.go expects (no field %s of %s): build with the versions in go.mod",
			owner.Type().PkgPath(), name, owner.Type()))
	}
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
}
