// Package loops builds XLA's while loops in GoMLX graphs: with states by name, bodies that may use all of GoMLX's
// operations, and gradients.
package loops

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Int32 is the type of positions and counts.
const Int32 = dtypes.Int32

// Values are the values that a loop carries, by name.
type Values map[string]*Node

// State names the values that a loop carries, in order. All loops over it take them in this order.
type State struct {
	Names  []string
	Shapes []shapes.Shape
	Index  map[string]int
}

// State is the state of the values with these names, in this order.
func (v Values) State(names ...string) *State {
	st := &State{}
	for _, name := range names {
		st.Add(name, v[name].Shape())
	}
	return st
}

// Add appends a value.
func (st *State) Add(name string, shape shapes.Shape) {
	if st.Index == nil {
		st.Index = make(map[string]int)
	}
	st.Index[name] = len(st.Names)
	st.Names = append(st.Names, name)
	st.Shapes = append(st.Shapes, shape)
}

// While builds a loop over the state that runs as long as cond is true. A turn replaces the values that body returns, by
// name; the others stay as they are. It returns the last values in the state's order. In the text of the program the
// names of the parameters of the loop's functions begin with kind.
func (st *State) While(g *Graph, kind string, initial Values, cond func(v Values) *Node,
	body func(g *Graph, v Values) Values) []*Node {
	parameters := func(g *Graph) ([]*Node, Values) {
		nodes, named := make([]*Node, len(st.Names)), make(Values, len(st.Names))
		for i, name := range st.Names {
			nodes[i] = Parameter(g, kind+name, st.Shapes[i])
			named[name] = nodes[i]
		}
		return nodes, named
	}
	condition := closure(g, func(g *Graph) []*Node {
		_, v := parameters(g)
		return []*Node{cond(v)}
	})
	turn := closure(g, func(g *Graph) []*Node {
		nodes, v := parameters(g)
		for name, next := range body(g, v) {
			nodes[st.Index[name]] = next
		}
		return nodes
	})
	values := make([]*Node, len(st.Names))
	for i, name := range st.Names {
		values[i] = initial[name]
	}
	return While(condition, turn, values...)
}

// OpenFirst turns the gates [count] of a stack, 1 or 0, into the indices of its open blocks, [count], in order and
// followed by zeros, and their number. Both are Int32.
func OpenFirst(open *Node) (order, number *Node) {
	g, count := open.Graph(), open.Shape().Dimensions[0]
	open = ConvertDType(open, Int32)
	number = ReduceSum(open)
	square := open.Shape().Clone()
	square.Dimensions = []int{count, count}
	row, column := Iota(g, square, 0), Iota(g, square, 1)
	// position[i] is the number of open blocks among those before block i.
	before := ConvertDType(LessThan(column, row), Int32)
	position := ReduceSum(Mul(before, Reshape(open, 1, count)), 1)
	// order[k] is the open block i with position k.
	chosen := Mul(ConvertDType(Equal(Reshape(position, 1, count), row), Int32), Reshape(open, 1, count))
	return ReduceSum(Mul(chosen, column), 1), number
}

// Block returns the index of the open block at position k, from the values order and k. In a stack of one block it is k,
// which ties what is computed with it to the loop's turn (Row).
func (v Values) Block() *Node {
	if v["order"].Shape().Dimensions[0] == 1 {
		return v["k"]
	}
	return Reshape(DynamicSlice(v["order"], []*Node{v["k"]}, []int{1}))
}

// Next is k + 1, and Previous is k - 1.
func (v Values) Next() *Node     { return Add(v["k"], Const(v["k"].Graph(), int32(1))) }
func (v Values) Previous() *Node { return Sub(v["k"], Const(v["k"].Graph(), int32(1))) } // see Next

// Stacked adds a leading axis of count entries to a shape.
func Stacked(s shapes.Shape, count int) shapes.Shape {
	return shapes.Make(s.DType, append([]int{count}, s.Dimensions...)...)
}

// At returns the start indices (i, 0, 0, ...), with the given number of zeros.
func At(i *Node, zeros int) []*Node {
	start := []*Node{i}
	for range zeros {
		start = append(start, Const(i.Graph(), int32(0)))
	}
	return start
}

// Save writes value to row i of a stack.
func Save(stack, value, i *Node) *Node {
	return DynamicUpdateSlice(stack, InsertAxes(value, 0), At(i, value.Rank()))
}

// Row returns row i of a stack, without the leading axis. If there is only one row, it is tied to i (InTurn).
func Row(stack, i *Node) *Node {
	dims := append([]int{1}, stack.Shape().Dimensions[1:]...)
	row := Reshape(DynamicSlice(stack, At(i, len(dims)-1), dims), dims[1:]...)
	if stack.Shape().Dimensions[0] == 1 {
		row = InTurn(i, row)
	}
	return row
}

// InTurn returns value, tied to the turn of a loop by its position k. What a body computes from values that are the same
// in every turn, XLA would move before the loop. There it is computed even if the loop makes no turn: a closed block would
// cost as much as an open one.
func InTurn(k, value *Node) *Node {
	return OptimizationBarriers(k, value)[1]
}
