package survivors

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/kernels"
	"stochdepth/toolkit/resnet"
)

const int32Type = dtypes.Int32

// What the code of the loops must respect, because of how GoMLX v0.28 and go-xla v0.4 build closures:
// a closure uses only its parameters and constants made inside it (Const makes a fresh one, while
// AddScalar, ZerosLike and their like share one for the whole graph), and it must not reduce (the
// reduction's function would belong to another closure): sums come out of batch-norm operations.

// loop builds the forward and backward loops over a stage's open blocks.
type loop struct {
	n     *resnet.Network
	stage resnet.Stage
	batch int
	kept  int // blocks whose convolutions' outputs are kept: all, or one under Recompute

	wide      dtypes.DType    // type of parameters and statistics
	input     shapes.Shape    // [batch, side, side, in], the block's input
	output    shapes.Shape    // [batch, Side, Side, Out]
	parameter [3]shapes.Shape // of one block: kernel1, kernel2, affine
	sums      sums
}

func newLoop(g *Graph, n *resnet.Network, s resnet.Stage, batch int) *loop {
	wide, narrow := n.ParameterDType(), n.DType
	kept := s.Count
	if n.Recompute {
		kept = min(1, kept)
	}
	return &loop{n: n, stage: s, batch: batch, kept: kept, wide: wide,
		input:     shapes.Make(narrow, batch, s.Side*s.Stride, s.Side*s.Stride, s.In),
		output:    shapes.Make(narrow, batch, s.Side, s.Side, s.Out),
		parameter: [3]shapes.Shape{shapes.Make(wide, 3, 3, s.In, s.Out), shapes.Make(wide, 3, 3, s.Out, s.Out), shapes.Make(wide, 4, s.Out)},
		sums:      sumsFor(g, n.Target),
	}
}

// stacked adds the leading axis of a stage.
func (l *loop) stacked(s shapes.Shape, count int) shapes.Shape {
	return shapes.Make(s.DType, append([]int{count}, s.Dimensions...)...)
}

// state names the values a loop carries, in order. All loops of a stage are built over it.
type state struct {
	names  []string
	shapes []shapes.Shape
	index  map[string]int
}

func (st *state) add(name string, shape shapes.Shape) {
	if st.index == nil {
		st.index = make(map[string]int)
	}
	st.index[name] = len(st.names)
	st.names = append(st.names, name)
	st.shapes = append(st.shapes, shape)
}

// while builds a loop over the state that runs as long as cond and replaces the values that body
// returns, by name; the others stay as they are.
// kind begins the names of the parameters of the loop's functions; package kernels looks for it.
func (st *state) while(g *Graph, kind string, initial map[string]*Node, cond func(v map[string]*Node) *Node,
	body func(g *Graph, v map[string]*Node) map[string]*Node) []*Node {
	parameters := func(g *Graph) ([]*Node, map[string]*Node) {
		nodes, named := make([]*Node, len(st.names)), make(map[string]*Node, len(st.names))
		for i, name := range st.names {
			nodes[i] = Parameter(g, kind+name, st.shapes[i])
			named[name] = nodes[i]
		}
		return nodes, named
	}
	condition := NewClosure(g, func(g *Graph) []*Node {
		_, v := parameters(g)
		return []*Node{cond(v)}
	})
	turn := NewClosure(g, func(g *Graph) []*Node {
		nodes, v := parameters(g)
		for name, next := range body(g, v) {
			nodes[st.index[name]] = next
		}
		return nodes
	})
	values := make([]*Node, len(st.names))
	for i, name := range st.names {
		values[i] = initial[name]
	}
	return While(condition, turn, values...)
}

// parameterNames are those of the parameters in a loop's state. What is small is packed, so that a GPU has
// less to launch: affine is scale1, offset1, scale2, offset2 [4, Out] of each block, and so are the
// statistics: mean1, variance1, mean2, variance2.
var parameterNames = [3]string{"kernel1", "kernel2", "affine"}

// packed are a stage's parameters as a loop takes them.
func packed(parameters [6]*Node) [3]*Node {
	return [3]*Node{parameters[0], parameters[3], Stack([]*Node{parameters[1], parameters[2], parameters[4], parameters[5]}, 1)}
}

// forwardState is what the forward loop carries:
//
//	k, count, order   position among the open blocks, their number, their indices
//	x                 a transition's input (a plain block's input is the last saved)
//	h                 the newest output
//	parameters        stacked over the stage's blocks
//	scales            1/p_l of each block, under inverted scaling
//	outputs           slot 0 the stage's shortcut, slot k+1 what open block k gave
//	first, second     what the convolutions of open block k gave; if computed again, memory for one block
//	statistics        batch mean and variance of both batch normalisations, by block, zero for closed ones
func (l *loop) forwardState() *state {
	st, count := &state{}, l.stage.Count
	st.add("k", shapes.Make(int32Type))
	st.add("count", shapes.Make(int32Type))
	st.add("order", shapes.Make(int32Type, count))
	if l.stage.Transition() {
		st.add("x", l.input)
	}
	st.add("h", l.output)
	for i, name := range parameterNames {
		st.add(name, l.stacked(l.parameter[i], count))
	}
	if l.n.Inverted {
		st.add("scales", shapes.Make(l.wide, count))
	}
	st.add("outputs", l.stacked(l.output, count+1))
	st.add("first", l.stacked(l.output, l.kept))
	st.add("second", l.stacked(l.output, l.kept))
	st.add("statistics", l.stacked(l.parameter[2], count))
	return st
}

// run builds the forward loop and registers its gradient. shortcut is what the stage gives with all
// blocks closed, x its input (the same but for a transition). It returns the stage's output and the
// batch statistics [Count, 4, Out]. scales [Count] is used under inverted scaling.
func (l *loop) run(shortcut, x, order, count, scales *Node, parameters [3]*Node) (out, statistics *Node) {
	g, st := shortcut.Graph(), l.forwardState()
	initial := map[string]*Node{"k": Const(g, int32(0)), "count": count, "order": order, "x": x, "h": shortcut}
	for i, name := range parameterNames {
		initial[name] = parameters[i]
	}
	if l.n.Inverted {
		initial["scales"] = scales
	}
	for i, name := range st.names {
		if initial[name] == nil {
			initial[name] = Zeros(g, st.shapes[i])
		}
	}
	initial["outputs"] = DynamicUpdateSlice(initial["outputs"], InsertAxes(shortcut, 0), l.at(g, Const(g, int32(0)), 4))
	results := st.while(g, kernels.ForwardBlock, initial, func(v map[string]*Node) *Node { return LessThan(v["k"], v["count"]) }, l.forwardBlock)
	register(results, func(_ *Node, gradients []*Node) []*Node {
		return l.backward(st, initial, results, gradients[st.index["h"]])
	})
	return results[st.index["h"]], StopGradient(results[st.index["statistics"]])
}

// forwardBlock computes one open block: H = ReLU(f(H) + id(H)) (Eq. 2 with an open gate).
func (l *loop) forwardBlock(g *Graph, v map[string]*Node) map[string]*Node {
	block := l.index(v)
	kernel1, kernel2, affine := row(v["kernel1"], block), row(v["kernel2"], block), parts(row(v["affine"], block))
	shortcut, x := v["h"], v["h"]
	if l.stage.Transition() {
		x = v["x"]
	}
	first := resnet.Convolve3x3(x, kernel1, l.stage.Stride)
	y, mean1, variance1 := l.normalize(first, affine[0], affine[1])
	second := resnet.Convolve3x3(relu(g, y), kernel2, 1)
	f, mean2, variance2 := l.normalize(second, affine[2], affine[3])
	if l.n.Inverted {
		f = Mul(f, ConvertDType(row(v["scales"], block), f.DType()))
	}
	h := relu(g, Add(f, shortcut))
	next := map[string]*Node{
		"k":          Add(v["k"], Const(g, int32(1))),
		"h":          h,
		"outputs":    l.save(g, v["outputs"], h, Add(v["k"], Const(g, int32(1)))),
		"statistics": l.save(g, v["statistics"], Stack([]*Node{mean1, variance1, mean2, variance2}, 0), block),
	}
	if !l.recomputes() {
		next["first"], next["second"] = l.save(g, v["first"], first, v["k"]), l.save(g, v["second"], second, v["k"])
	}
	return next
}

// recomputes says whether the convolutions' outputs are computed again for the gradient.
func (l *loop) recomputes() bool { return l.kept < l.stage.Count }

// index returns the index of the open block at position k.
func (l *loop) index(v map[string]*Node) *Node {
	return Reshape(DynamicSlice(v["order"], []*Node{v["k"]}, []int{1}))
}

// parts are the rows of [4, Out].
func parts(small *Node) (rows [4]*Node) {
	for i := range rows {
		rows[i] = Reshape(Slice(small, AxisElem(i)), small.Shape().Dimensions[1])
	}
	return rows
}

// at returns start indices (i, 0, 0, ...) with zeros for the given number of axes.
func (l *loop) at(g *Graph, i *Node, zeros int) []*Node {
	start := []*Node{i}
	for range zeros {
		start = append(start, Const(g, int32(0)))
	}
	return start
}

// save writes value to row i of the stack.
func (l *loop) save(g *Graph, stack, value, i *Node) *Node {
	return DynamicUpdateSlice(stack, InsertAxes(value, 0), l.at(g, i, value.Rank()))
}

// row returns row i of a stack, without the leading axis.
func row(stack, i *Node) *Node {
	g, dims := stack.Graph(), append([]int{1}, stack.Shape().Dimensions[1:]...)
	start := []*Node{i}
	for range dims[1:] {
		start = append(start, Const(g, int32(0)))
	}
	return Reshape(DynamicSlice(stack, start, dims), dims[1:]...)
}

func zero(g *Graph, dtype dtypes.DType) *Node { return ConstAsDType(g, dtype, 0.0) }

func relu(g *Graph, x *Node) *Node { return Max(x, zero(g, x.DType())) }
