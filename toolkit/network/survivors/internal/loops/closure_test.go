package loops

import (
	"reflect"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
)

// A closure may use the same constants, reductions and gradients as the main function uses before and after it.
func TestClosureMayUseAllOperations(t *testing.T) {
	inBoth := func(x *Node) *Node {
		y := AddScalar(MulScalar(x, 3), 1)
		return Gradient(ReduceAllSum(Square(Sub(y, ReduceMax(y)))), x)[0]
	}
	out, err := CallOnce(backendtest.Open(t), func(x *Node) *Node {
		before := inBoth(x)
		st := &State{}
		st.Add("k", before.Shape())
		st.Add("x", x.Shape())
		last := st.While(x.Graph(), "test_", Values{"k": ZerosLike(x), "x": x},
			func(v Values) *Node { return LessThan(ReduceAllSum(v["k"]), Const(v["k"].Graph(), 1.0)) },
			func(_ *Graph, v Values) Values { return Values{"k": OnesLike(v["x"]), "x": inBoth(v["x"])} })
		return Stack([]*Node{before, last[1], inBoth(x)}, 0)
	}, []float64{1, 2, 4})
	require.NoError(t, err)
	values := out.Value().([][]float64)
	require.NotZero(t, values[0][0])
	require.Equal(t, values[0], values[1])
	require.Equal(t, values[0], values[2])
}

// The error names the library whose version keeps its caches differently.
func TestCachesThatAreNotThere(t *testing.T) {
	require.PanicsWithError(t, "this version of reflect keeps its caches differently from what "+
		"toolkit/network/survivors/internal/loops/closure.go expects (no field scalars of reflect.Value): "+
		"build with the versions in go.mod", func() { field(reflect.ValueOf(&reflect.Value{}).Elem(), "scalars") })
}
