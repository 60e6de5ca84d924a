package survivors

import (
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/survivors/internal/loops"
)

// gradientOf stands before the name of a value whose gradient the backward loop carries.
const gradientOf = "gradient_"

// backward builds the backward loop, over the open blocks in reverse, and returns the gradients of the forward loop's
// initial values, nil for those without one. The loop carries the gradient of open block k's output, which after the
// last turn is the gradient of the stack's output with all blocks closed, and the gradients of the parameters, zero for closed blocks.
func (l *loop) backward(forward *loops.State, initial loops.Values, results []*Node, dh *Node) []*Node {
	g, st, values := dh.Graph(), &loops.State{}, make(loops.Values)
	carry := func(name string, value *Node) {
		st.Add(name, value.Shape())
		values[name] = value
	}
	carry("k", Sub(initial["count"], Const(g, int32(1))))
	carry("order", initial["order"])
	carry(gradientOf+"h", dh)
	if l.changes {
		carry("input", initial["input"])
		carry("shortcut", initial["shortcut"])
		carry(gradientOf+"input", Zeros(g, initial["input"].Shape()))
		if l.closed != l.shortcut {
			carry(gradientOf+"shortcut", ZerosLike(l.shortcut))
		}
	} else {
		carry("inputs", results[forward.Index["inputs"]])
	}
	for i := range l.kept {
		carry(keptAs(i), results[forward.Index[keptAs(i)]])
	}
	for _, p := range l.trained {
		carry(ownOf+p.Name, initial[ownOf+p.Name])
		carry(gradientOf+ownOf+p.Name, Zeros(g, initial[ownOf+p.Name].Shape()))
	}
	if l.scaled {
		carry("scales", initial["scales"])
	}
	if l.perSample {
		carry("weights", initial["weights"])
	}
	if l.subBatch {
		carry("images", initial["images"])
		carry("position", initial["position"])
	}
	done := st.While(g, backwardLoop, values, func(v loops.Values) *Node {
		return GreaterOrEqual(v["k"], Const(v["k"].Graph(), int32(0)))
	}, l.backwardBlock)

	gradients := make([]*Node, len(forward.Names))
	give := func(name string) { gradients[forward.Index[name]] = done[st.Index[gradientOf+name]] }
	give("h")
	if l.changes {
		give("input")
	}
	if l.closed != l.shortcut {
		give("shortcut")
	}
	for _, p := range l.trained {
		give(ownOf + p.Name)
	}
	return gradients
}

// backwardBlock computes one open block again from its input and what it kept, and its gradient.
func (l *loop) backwardBlock(g *Graph, v loops.Values) loops.Values {
	block := v.Block()
	var x, shortcut *Node
	var variables []*Node // that the block's output is differentiated by
	if l.changes {
		x = l.take(v, block, loops.InTurn(v["k"], v["input"]))
		shortcut = l.take(v, block, loops.InTurn(v["k"], v["shortcut"]))
		variables = []*Node{x, shortcut}
	} else {
		x = loops.Row(v["inputs"], v["k"])
		shortcut = x
		variables = []*Node{x}
	}
	rows := l.rows(v, block)
	for _, p := range l.trained {
		variables = append(variables, rows[p.Name])
	}
	b := l.branch(v, block, rows)
	if len(l.kept) > 0 {
		i := 0
		b.Keep = func(y *Node) *Node {
			i++
			return residual.Instead(y, loops.Row(v[keptAs(i-1)], v["k"]))
		}
	}
	h := l.join(b, v, block, x, shortcut)
	dh := StopGradient(l.take(v, block, v[gradientOf+"h"]))
	gradients := Gradient(ReduceAllSum(Mul(h, dh)), variables...)

	next := loops.Values{"k": v.Previous()}
	give := func(name string, gradient *Node) { next[name] = l.put(v, block, gradient, v[name]) }
	if l.changes {
		give(gradientOf+"input", gradients[0])
		gradients = gradients[1:]
	}
	if l.closed == l.shortcut {
		give(gradientOf+"h", gradients[0])
	} else { // the output of the closed block counts for nothing
		give(gradientOf+"shortcut", gradients[0])
		give(gradientOf+"h", ZerosLike(dh))
	}
	gradients = gradients[1:]
	for i, p := range l.trained {
		name := gradientOf + ownOf + p.Name
		next[name] = loops.Save(v[name], gradients[i], block)
	}
	return next
}
