package survivors

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/kernels"
	"stochdepth/toolkit/resnet"
)

// GoMLX has no gradient for While. It looks one up by the node's type, so one function is registered
// for all loops, which asks the graph for the gradient that this loop's builder left there.

// gradientOf computes the gradients of a loop's inputs from those of its outputs.
type gradientOf func(loop *Node, outputs []*Node) []*Node

type gradientsKey struct{}

func init() {
	VJPRegistration[NodeTypeWhile] = func(node *Node, outputs []*Node, _ shapes.Shape) []*Node {
		gradients, _ := node.Graph().State(gradientsKey{}).(map[*Node]gradientOf)
		gradient := gradients[node]
		if gradient == nil {
			panic("survivors: a While that this package did not build has no gradient")
		}
		return gradient(node, outputs)
	}
}

// register leaves the gradient of the loop behind results with the graph.
func register(results []*Node, gradient gradientOf) {
	g, node := results[0].Graph(), results[0].Inputs()[0]
	gradients, _ := g.State(gradientsKey{}).(map[*Node]gradientOf)
	if gradients == nil {
		gradients = make(map[*Node]gradientOf)
		g.AttachState(gradientsKey{}, gradients)
	}
	gradients[node] = gradient
}

// backwardState is what the backward loop carries: k counts down; dh is the gradient of what open
// block k gave, and in the end of the stage's shortcut; dx that of a transition's input; the forward
// loop's saved values; and the parameters' gradients, zero for closed blocks.
func (l *loop) backwardState() *state {
	st, forward := &state{}, l.forwardState()
	for i, name := range forward.names {
		switch name {
		case "count":
		case "h":
			st.add("dh", l.output)
		default:
			st.add(name, forward.shapes[i])
		}
	}
	if l.stage.Transition() {
		st.add("dx", l.input)
	}
	for i, name := range parameterNames {
		st.add("d"+name, l.stacked(l.parameter[i], l.stage.Count))
	}
	return st
}

// backward builds the backward loop and returns the gradients of the forward loop's initial state, nil
// for what has none.
func (l *loop) backward(forward *state, initial map[string]*Node, results []*Node, dh *Node) []*Node {
	g, st := dh.Graph(), l.backwardState()
	values := make(map[string]*Node, len(st.names))
	for i, name := range st.names {
		if at, ok := forward.index[name]; ok {
			values[name] = results[at]
		} else {
			values[name] = Zeros(g, st.shapes[i])
		}
	}
	for _, name := range parameterNames {
		values[name] = initial[name]
	}
	values["k"] = Sub(initial["count"], Const(g, int32(1)))
	values["dh"] = dh
	done := st.while(g, kernels.BackwardBlock, values, func(v map[string]*Node) *Node {
		return GreaterOrEqual(v["k"], Const(v["k"].Graph(), int32(0)))
	}, l.backwardBlock)

	gradients := make([]*Node, len(forward.names))
	gradients[forward.index["h"]] = done[st.index["dh"]]
	if l.stage.Transition() {
		gradients[forward.index["x"]] = done[st.index["dx"]]
	}
	for _, name := range parameterNames {
		gradients[forward.index[name]] = done[st.index["d"+name]]
	}
	// The shortcut also fills slot 0 of the outputs, whose gradient is already in dh.
	return gradients
}

// backwardBlock is the gradient of one open block, written by hand from forwardBlock.
func (l *loop) backwardBlock(g *Graph, v map[string]*Node) map[string]*Node {
	block := l.index(v)
	kernel1, kernel2, affine := row(v["kernel1"], block), row(v["kernel2"], block), parts(row(v["affine"], block))
	statistics := parts(row(v["statistics"], block))
	x := row(v["outputs"], v["k"])
	out := row(v["outputs"], Add(v["k"], Const(g, int32(1))))
	if l.stage.Transition() {
		x = v["x"]
	}
	mean1, variance1, mean2, variance2 := statistics[0], statistics[1], statistics[2], statistics[3]

	var first, a, second *Node
	if l.recomputes() {
		first = resnet.Convolve3x3(x, kernel1, l.stage.Stride)
		a = relu(g, resnet.Normalize(first, affine[0], affine[1], mean1, variance1))
		second = resnet.Convolve3x3(a, kernel2, 1)
	} else {
		first, second = row(v["first"], v["k"]), row(v["second"], v["k"])
		a = relu(g, resnet.Normalize(first, affine[0], affine[1], mean1, variance1))
	}
	dz := positive(g, out, v["dh"]) // gradient of f(x) + id(x)
	df := dz
	if l.n.Inverted {
		df = Mul(df, ConvertDType(row(v["scales"], block), df.DType()))
	}
	dsecond, dscale2, doffset2 := l.normalizeGradient(second, affine[2], mean2, variance2, df)
	dkernel2 := l.kernelGradient(a, dsecond, 1)
	dy := positive(g, a, inputGradient(dsecond, kernel2, 1))
	dfirst, dscale1, doffset1 := l.normalizeGradient(first, affine[0], mean1, variance1, dy)
	dkernel1 := l.kernelGradient(x, dfirst, l.stage.Stride)
	dx := inputGradient(dfirst, kernel1, l.stage.Stride)

	next := map[string]*Node{"k": Sub(v["k"], Const(g, int32(1)))}
	if l.stage.Transition() {
		next["dh"], next["dx"] = dz, dx
	} else {
		next["dh"] = Add(dz, dx)
	}
	daffine := Stack([]*Node{dscale1, doffset1, dscale2, doffset2}, 0)
	for i, d := range []*Node{dkernel1, dkernel2, daffine} {
		name := "d" + parameterNames[i]
		next[name] = l.save(g, v[name], d, block)
	}
	return next
}

// positive passes a gradient where a ReLU's output is positive.
func positive(g *Graph, output, gradient *Node) *Node {
	z := zero(g, output.DType())
	return Where(GreaterThan(output, BroadcastToShape(z, output.Shape())), gradient, BroadcastToShape(z, gradient.Shape()))
}

// The two gradients of a convolution are convolutions again. They are written in XLA's standard
// dimension order (image NHWC, kernel HWIO), by transposing operands: on the CPU XLA brings other
// orders into it in the main function only, and in a loop they run fifty times slower.

// inputGradient returns the gradient of x [batch, height, width, in] from that of
// y = Convolve3x3(x, kernel, stride).
func inputGradient(dy, kernel *Node, stride int) *Node {
	flipped := TransposeAllAxes(Reverse(ConvertDType(kernel, dy.DType()), 0, 1), 0, 1, 3, 2)
	conv := Convolve(dy, flipped).PaddingPerDim([][2]int{{1, stride}, {1, stride}})
	if stride > 1 {
		conv = conv.InputDilationPerAxis(stride, stride)
	}
	return conv.Done()
}

// kernelGradient returns the gradient of kernel [3, 3, in, out], in the parameters' type, from that of
// y = Convolve3x3(x, kernel, stride).
func (l *loop) kernelGradient(x, dy *Node, stride int) *Node {
	conv := Convolve(TransposeAllAxes(x, 3, 1, 2, 0), TransposeAllAxes(dy, 1, 2, 0, 3)).
		PaddingPerDim([][2]int{{1, 2 - stride}, {1, 2 - stride}})
	if stride > 1 {
		conv = conv.DilationPerAxis(stride, stride)
	}
	return ConvertDType(TransposeAllAxes(conv.Done(), 1, 2, 0, 3), l.wide)
}
