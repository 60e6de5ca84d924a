// Package survivors is the engine: it computes the open blocks of a residual network only, whatever its blocks compute. A
// minibatch's cost follows its open blocks, and the compiled program has the same size at 20 layers as at 1202.
//
// Compilers of static graphs cannot leave out a block by a gate's value: masking it computes it all
// the same. But the blocks of a stack have equal shapes and stacked parameters, so a loop can visit
// just the open ones by their indices (Eq. 2 with b_l = 1; where b_l = 0 the block is the identity,
// Eq. 3). Forward, the loop saves what backward needs; backward runs in reverse over the same
// indices. The loop is one node of the graph whose gradient is registered with GoMLX, so trainers and
// optimizers see an ordinary differentiable network.
//
// The gradient of a block is GoMLX's own, taken inside the body of the backward loop: the branch is computed again from
// the block's saved input. Package byhand does without, for the paper's block.
package survivors

import (
	"errors"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/survivors/internal/loops"
)

// Form computes a stack of any blocks, the open ones only. It equals [residual.Textbook], gates, gradients and running
// averages included.
//
// With gates per sample it leaves out the blocks that no image opens. Those that some open it computes for all images,
// closed ones times zero: shapes are static in XLA, and the open images' number is not.
type Form struct{}

var _ residual.Form = Form{}

// The names of the parameters of loops begin with what the loops do, in the text of a program.
const (
	forwardLoop  = "forward_residual_"
	backwardLoop = "backward_residual_"
	testLoop     = "test_residual_"
)

// Train implements residual.Form.
func (Form) Train(scope *model.Scope, s residual.Stack, h, gates, scales *Node) *Node {
	g, open := h.Graph(), residual.OpenBlocks(gates)
	open.AssertDims(s.Count)
	l := newLoop(s, h, scales != nil)
	l.perSample, l.dtype = gates.Rank() == 2, s.DType(scope, h)
	initial := l.parameters(scope, g)
	initial["order"], initial["count"] = loops.OpenFirst(open)
	initial["scales"], initial["weights"] = scales, residual.ImageWeights(gates, l.dtype)
	out, measured := l.run(h, initial)
	s.MoveAverages(scope, measured, open)
	return out
}

// loop builds the loops over a stack's open blocks.
type loop struct {
	stack     residual.Stack
	trained   []residual.Parameter
	averages  []residual.Parameter
	shortcut  *Node // what the stack gives with all blocks closed
	changes   bool  // the shortcut is not the input: a stack of one block
	scaled    bool
	perSample bool         // the gates
	dtype     dtypes.DType // of parameters, or where a block has none, of activations
	input     shapes.Shape // [batch, ...], a block's
	output    shapes.Shape // [batch, ...], a block's
}

func newLoop(s residual.Stack, h *Node, scaled bool) *loop {
	l := &loop{stack: s, trained: s.Trained(), averages: s.Averages(), shortcut: s.Block.Shortcut(h), scaled: scaled, input: h.Shape()}
	l.output, l.changes = l.shortcut.Shape(), l.shortcut != h
	if l.changes && s.Count > 1 {
		panic(errors.New("a stack whose blocks have another shortcut than the identity must be of one block"))
	}
	return l
}

// parameters are the stacked parameters as the loops carry them.
func (l *loop) parameters(scope *model.Scope, g *Graph) loops.Values {
	values := make(loops.Values)
	for _, p := range l.trained {
		values[ownOf+p.Name] = l.stack.Value(scope, g, p)
	}
	return values
}

// forwardState is what the forward loop carries:
//
//	k, count, order   position among the open blocks, their number, their indices
//	input, shortcut   of the stack, where they are not the same
//	h                 the newest output
//	scales            of each block's branch, if there are any
//	weights           of the images in each block, if gates are per sample
//	inputs            of open block k in row k, where input is not
//	own_...           the blocks' parameters
//	measured_...      by block, zero for closed ones
func (l *loop) forwardState(initial loops.Values) *loops.State {
	st, count := &loops.State{}, l.stack.Count
	st.Add("k", shapes.Make(loops.Int32))
	st.Add("count", shapes.Make(loops.Int32))
	st.Add("order", shapes.Make(loops.Int32, count))
	if l.changes {
		st.Add("input", l.input)
		st.Add("shortcut", l.output)
	} else {
		st.Add("inputs", loops.Stacked(l.input, count))
	}
	st.Add("h", l.output)
	for _, p := range l.trained {
		st.Add(ownOf+p.Name, initial[ownOf+p.Name].Shape())
	}
	if l.scaled {
		st.Add("scales", initial["scales"].Shape())
	}
	if l.perSample {
		st.Add("weights", initial["weights"].Shape())
	}
	for _, p := range l.averages {
		st.Add(measuredOf+p.Name, initial[measuredOf+p.Name].Shape())
	}
	return st
}

// What blocks call their own has a word before it, so that a parameter may have any name, also that of a value of the loops.
const (
	ownOf      = "own_"      // parameters, and at test running averages
	measuredOf = "measured_" // see forwardState
)

// run builds the forward loop and registers its gradient. It returns the stack's output and what its open blocks have
// measured, by name, [Count, ...].
func (l *loop) run(h *Node, initial loops.Values) (out *Node, measured map[string]*Node) {
	g := h.Graph()
	for _, p := range l.averages {
		dims := append([]int{l.stack.Count}, p.Dims...)
		initial[measuredOf+p.Name] = Zeros(g, shapes.Make(l.dtype, dims...))
	}
	st := l.forwardState(initial)
	initial["k"], initial["h"] = Const(g, int32(0)), l.shortcut
	initial["input"], initial["shortcut"] = h, l.shortcut
	if !l.changes {
		initial["inputs"] = Zeros(g, loops.Stacked(l.input, l.stack.Count))
	}
	results := st.While(g, forwardLoop, initial, func(v loops.Values) *Node { return LessThan(v["k"], v["count"]) }, l.forwardBlock)
	loops.Register(results, func(outputs []*Node) []*Node {
		return l.backward(st, initial, results, outputs[st.Index["h"]])
	})
	measured = make(map[string]*Node, len(l.averages))
	for _, p := range l.averages {
		measured[p.Name] = StopGradient(results[st.Index[measuredOf+p.Name]])
	}
	return results[st.Index["h"]], measured
}

// forwardBlock computes one open block (Eq. 2 with an open gate).
func (l *loop) forwardBlock(g *Graph, v loops.Values) loops.Values {
	block := v.Block()
	x, shortcut := v["h"], v["h"]
	if l.changes {
		x, shortcut = loops.InTurn(v["k"], v["input"]), loops.InTurn(v["k"], v["shortcut"])
	}
	b := l.branch(v, block, l.rows(v, block))
	next := loops.Values{"k": v.Next(), "h": l.join(b, v, block, x, shortcut)}
	if !l.changes {
		next["inputs"] = loops.Save(v["inputs"], x, v["k"])
	}
	for _, p := range l.averages {
		stack := v[measuredOf+p.Name]
		next[measuredOf+p.Name] = loops.Save(stack, ConvertDType(b.Measured(p.Name), stack.DType()), block)
	}
	return next
}

// branch gives the branch of one block in training its values.
func (l *loop) branch(v loops.Values, block *Node, rows map[string]*Node) *residual.Branch {
	b := residual.NewBranch(true, true, rows)
	if l.perSample {
		b.Weights = loops.Row(v["weights"], block)
	}
	return b
}

// join is the output of an open block: Join(scale f(x), shortcut), or for a closed image Join(0, shortcut).
func (l *loop) join(b *residual.Branch, v loops.Values, block, x, shortcut *Node) *Node {
	f := l.stack.Block.Branch(b, x)
	if l.scaled {
		f = Mul(f, ConvertDType(loops.Row(v["scales"], block), f.DType()))
	}
	if b.Weights != nil {
		f = Mul(f, ConvertDType(residual.WithAxes(Sign(b.Weights), f.Rank()-1), f.DType()))
	}
	return l.stack.Block.Join(f, shortcut)
}

// rows are the parameters of one block.
func (l *loop) rows(v loops.Values, block *Node) map[string]*Node {
	rows := make(map[string]*Node, len(l.trained))
	for _, p := range l.trained {
		rows[p.Name] = loops.Row(v[ownOf+p.Name], block)
	}
	return rows
}

// Test implements residual.Form.
func (Form) Test(scope *model.Scope, s residual.Stack, h, scales *Node) *Node {
	g := h.Graph()
	l, st := newLoop(s, h, true), &loops.State{}
	initial := l.parameters(scope, g)
	for _, p := range l.averages {
		initial[ownOf+p.Name] = s.Value(scope, g, p)
	}
	initial["k"], initial["input"], initial["h"], initial["scales"] = Const(g, int32(0)), h, l.shortcut, scales
	names := []string{"k", "h", "scales"}
	if l.changes {
		names = append(names, "input")
	}
	for _, p := range s.Block.Parameters() {
		names = append(names, ownOf+p.Name)
	}
	for _, name := range names {
		st.Add(name, initial[name].Shape())
	}
	results := st.While(g, testLoop, initial, func(v loops.Values) *Node {
		return LessThan(v["k"], Const(v["k"].Graph(), int32(s.Count)))
	}, func(g *Graph, v loops.Values) loops.Values {
		x := v["h"]
		if l.changes {
			x = v["input"]
		}
		rows := make(map[string]*Node)
		for _, p := range s.Block.Parameters() {
			rows[p.Name] = loops.Row(v[ownOf+p.Name], v["k"])
		}
		return loops.Values{"k": v.Next(), "h": l.join(residual.NewBranch(false, true, rows), v, v["k"], x, v["h"])}
	})
	return results[st.Index["h"]]
}
