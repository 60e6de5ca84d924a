package loops

import (
	"fmt"
	"reflect"
	"unsafe"

	. "github.com/gomlx/gomlx/core/graph"
)

// A repair of GoMLX v0.28 and go-xla v0.4. All functions of a graph share caches: of scalar and tensor constants
// (Graph), and of the small functions by which reductions combine two values (go-xla's Builder). But in XLA a function
// may use nothing of another one, so an operation in a closure that finds there what the main function has made builds
// a program that is refused ("operands are not part of the function", "reductionFn is not a StableHLO closure of ...").
// Most operations with a number in them do, and so does Gradient. Therefore each closure gets empty caches while it is
// built. They are not exported; where a version of the libraries has them no more, unlike what go.mod asks for, the
// panic says so. Caches that were kept by function would make this file unnecessary.

// closure is NewClosure, in which all of GoMLX's operations may be used.
func closure(g *Graph, f func(g *Graph) []*Node) *Function {
	defer emptyCaches(g)()
	return NewClosure(g, f)
}

// cachesOfGraph and cachesOfBuilder are the names of the shared caches, all of them maps.
var (
	cachesOfGraph   = []string{"scalars", "tensorConstants"}
	cachesOfBuilder = []string{"cacheReductions", "cacheArgMinMax", "cacheSelections"}
)

// emptyCaches replaces the caches by empty ones and returns what puts them back. Backends that are not go-xla's have
// none of their own.
func emptyCaches(g *Graph) (putBack func()) {
	var undo []func()
	replace := func(of reflect.Value, names []string) {
		for _, name := range names {
			cache := field(of, name)
			was := reflect.New(cache.Type()).Elem()
			was.Set(cache)
			cache.Set(reflect.MakeMap(cache.Type()))
			undo = append(undo, func() { cache.Set(was) })
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

// field returns a field of a struct, to be read and set though it is not exported.
func field(of reflect.Value, name string) reflect.Value {
	f := of.FieldByName(name)
	if !f.IsValid() {
		panic(fmt.Errorf("this version of %s keeps its caches otherwise than toolkit/network/survivors/internal/loops/closure.go knows (no field %s of %s): build with the versions in go.mod",
			of.Type().PkgPath(), name, of.Type()))
	}
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
}
