package survivors

import (
	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/survivors/internal/loops"
)

// gradientOf is before the name of a value whose gradient the backward loop carries.
const gradientOf = "gradient_"

// backward builds the backward loop, over the open blocks in reverse, and returns the gradients of the forward loop's
// initial values, nil for what has none. It carries the gradient of what open block k gave, in the end of the stack's
// shortcut, and those of the parameters, zero for closed blocks.
func (l *loop) backward(forward *loops.State, initial loops.Values, results []*Node, dh *Node) []*Node {
	g, st, values := dh.Graph(), &loops.State{}, make(loops.Values)
	carry := func(name string, value *Node) {
		st.Add(name, value.Shape())
		values[name] = value
	}
	last := func(name string) *Node { return results[forward.Index[name]] }
	carry("k", Sub(initial["count"], Const(g, int32(1))))
	carry("order", initial["order"])
	carry(gradientOf+"h", dh)
	if l.changes {
		carry("input", initial["input"])
		carry("shortcut", initial["shortcut"])
		carry(gradientOf+"input", Zeros(g, l.input))
	} else {
		carry("inputs", last("inputs"))
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
	done := st.While(g, backwardLoop, values, func(v loops.Values) *Node {
		return GreaterOrEqual(v["k"], Const(v["k"].Graph(), int32(0)))
	}, l.backwardBlock)

	gradients := make([]*Node, len(forward.Names))
	give := func(name, of string) { gradients[forward.Index[name]] = done[st.Index[gradientOf+of]] }
	give("h", "h")
	if l.changes {
		give("input", "input")
	}
	for _, p := range l.trained {
		give(ownOf+p.Name, ownOf+p.Name)
	}
	return gradients
}

// backwardBlock is the gradient of one open block, which is computed again from its input.
func (l *loop) backwardBlock(g *Graph, v loops.Values) loops.Values {
	block := v.Block()
	var x, shortcut *Node
	if l.changes {
		x, shortcut = loops.InTurn(v["k"], v["input"]), loops.InTurn(v["k"], v["shortcut"])
	} else {
		x = loops.Row(v["inputs"], v["k"])
		shortcut = x
	}
	rows := l.rows(v, block)
	of := []*Node{x}
	if l.changes {
		of = append(of, shortcut)
	}
	for _, p := range l.trained {
		of = append(of, rows[p.Name])
	}
	h := l.join(l.branch(v, block, rows), v, block, x, shortcut)
	gradients := Gradient(ReduceAllSum(Mul(h, StopGradient(v[gradientOf+"h"]))), of...)

	next := loops.Values{"k": v.Previous()}
	next[gradientOf+"h"], gradients = gradients[0], gradients[1:]
	if l.changes {
		next[gradientOf+"input"] = next[gradientOf+"h"]
		next[gradientOf+"h"], gradients = gradients[0], gradients[1:]
	}
	for i, p := range l.trained {
		name := gradientOf + ownOf + p.Name
		next[name] = loops.Save(v[name], gradients[i], block)
	}
	return next
}
