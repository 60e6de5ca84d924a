package byhand

import (
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/internal/loopname"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors/internal/loops"
)

// backwardState is what the backward loop carries: k, which counts down; dh, the gradient of open block k's output, which
// after the last turn is the gradient of the stage's shortcut; dx, the gradient of a transition's input; the values that
// the forward loop saved; and the parameters' gradients, zero for closed blocks.
func (l *loop) backwardState(forward *loops.State) *loops.State {
	st := &loops.State{}
	for i, name := range forward.Names {
		switch name {
		case "count":
		case "h":
			st.Add("dh", l.output)
		default:
			st.Add(name, forward.Shapes[i])
		}
	}
	if l.transition() {
		st.Add("dx", l.input)
	}
	for _, name := range parameterNames {
		st.Add("d"+name, forward.Shapes[forward.Index[name]])
	}
	return st
}

// backward builds the backward loop and returns the gradients of the forward loop's initial values, nil for those without
// one.
func (l *loop) backward(forward *loops.State, initial loops.Values, results []*Node, dh *Node) []*Node {
	g, st := dh.Graph(), l.backwardState(forward)
	values := make(loops.Values, len(st.Names))
	for i, name := range st.Names {
		if at, ok := forward.Index[name]; ok {
			values[name] = results[at]
		} else {
			values[name] = Zeros(g, st.Shapes[i])
		}
	}
	for _, name := range parameterNames {
		values[name] = initial[name]
	}
	values["k"] = Sub(initial["count"], Const(g, int32(1)))
	values["dh"] = dh
	done := st.While(g, loopname.BackwardBlock, values, func(v loops.Values) *Node {
		return GreaterOrEqual(v["k"], Const(v["k"].Graph(), int32(0)))
	}, l.backwardBlock)

	gradients := make([]*Node, len(forward.Names))
	gradients[forward.Index["h"]] = done[st.Index["dh"]]
	if l.transition() {
		gradients[forward.Index["x"]] = done[st.Index["dx"]]
	}
	for _, name := range parameterNames {
		gradients[forward.Index[name]] = done[st.Index["d"+name]]
	}
	// The shortcut also fills slot 0 of the outputs, whose gradient is already in dh.
	return gradients
}

// backwardBlock computes the gradient of one open block, written by hand from forwardBlock.
func (l *loop) backwardBlock(g *Graph, v loops.Values) loops.Values {
	block := v.Block()
	kernel1, kernel2, affine := loops.Row(v["kernel1"], block), loops.Row(v["kernel2"], block), parts(loops.Row(v["affine"], block))
	statistics := parts(loops.Row(v["statistics"], block))
	x := loops.Row(v["outputs"], v["k"])
	out := loops.Row(v["outputs"], v.Next())
	if l.transition() {
		x = loops.InTurn(v["k"], v["x"])
	}
	weights := l.weights(v, block)
	mean1, variance1, mean2, variance2 := statistics[0], statistics[1], statistics[2], statistics[3]

	var first, a, second *Node
	if l.recomputes() {
		first = resnet.Convolution(nil, x, kernel1, l.block.Stride)
		a = relu(resnet.Normalize(first, affine[0], affine[1], mean1, variance1))
		second = resnet.Convolution(nil, a, kernel2, 1)
	} else {
		first, second = loops.Row(v["first"], v["k"]), loops.Row(v["second"], v["k"])
		a = relu(resnet.Normalize(first, affine[0], affine[1], mean1, variance1))
	}
	dz := positive(g, out, v["dh"]) // gradient of f(x) + id(x)
	df := l.scaled(v, block, weights, dz)
	dsecond, dscale2, doffset2 := normalizeGradient(l.sums, second, affine[2], mean2, variance2, weights, df)
	dkernel2 := l.kernelGradient(a, dsecond, 1)
	dy := positive(g, a, resnet.InputGradient(dsecond, kernel2, 1, l.block.Side))
	dfirst, dscale1, doffset1 := normalizeGradient(l.sums, first, affine[0], mean1, variance1, weights, dy)
	dkernel1 := l.kernelGradient(x, dfirst, l.block.Stride)
	dx := resnet.InputGradient(dfirst, kernel1, l.block.Stride, l.block.Side*l.block.Stride)

	next := loops.Values{"k": v.Previous()}
	if l.transition() {
		next["dh"], next["dx"] = dz, dx
	} else {
		next["dh"] = Add(dz, dx)
	}
	daffine := Stack([]*Node{dscale1, doffset1, dscale2, doffset2}, 0)
	for i, d := range []*Node{dkernel1, dkernel2, daffine} {
		name := "d" + parameterNames[i]
		next[name] = loops.Save(v[name], d, block)
	}
	return next
}

// positive is the gradient where a ReLU's output is positive, and zero elsewhere.
func positive(g *Graph, output, gradient *Node) *Node {
	z := zero(g, output.DType())
	return Where(GreaterThan(output, BroadcastToShape(z, output.Shape())), gradient, BroadcastToShape(z, gradient.Shape()))
}

// kernelGradient returns the gradient of kernel [3, 3, in, out], in the parameters' type, from the gradient of
// y = Convolution(x, kernel, stride).
func (l *loop) kernelGradient(x, dy *Node, stride int) *Node {
	return ConvertDType(resnet.KernelGradient(x, dy, 3, stride), l.parameterType)
}
