// Package survivors is the engine: it computes only the open blocks of a residual network, whatever its blocks compute. A
// minibatch's cost follows its open blocks, and the compiled program has the same size at 20 layers as at 1202.
//
// Compilers of static graphs cannot leave out a block because of a gate's value: a masked block is computed all the same.
// But the blocks of a stack have equal shapes and stacked parameters, so a loop can visit just the open ones by their
// indices (Eq. 2 with b_l = 1; where b_l = 0 the block is the identity, Eq. 3). The forward loop saves what the backward
// loop needs, which runs over the same indices in reverse. The loop is one node of the graph whose gradient is registered
// with GoMLX, so trainers and optimizers see an ordinary differentiable network.
//
// The gradient of a block is GoMLX's own, taken inside the body of the backward loop: the branch is computed again from
// the block's saved input, except for what it keeps ([residual.Branch.Keep]), such as the outputs of convolutions and products. For the
// paper's block, package byhand has a faster gradient.
package survivors

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/internal/loopname"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/survivors/internal/loops"
)

// Form computes only the open blocks of a stack, of any kind. It gives the same as [residual.Textbook], gradients and
// running averages included.
//
// With gates per sample it leaves out the blocks that no image opens. A block that some images open is computed for all,
// and multiplied by zero for the others: shapes are static in XLA, but the number of open images is not. With sub-batches it
// is (subbatch.go), so a block is computed for its open images only.
type Form struct {
	// Recompute computes all of the branch again for its gradient instead of keeping a part of it: less memory, more time.
	Recompute bool
	// Normalize, unless nil, is how blocks compute batch normalisation with gates per minibatch and of sub-batches.
	Normalize residual.Normalizer
	// CPU has blocks written in the form that is fast on a CPU.
	CPU bool
}

var _ residual.Form = Form{}

// In the text of a program the names of a loop's parameters begin with what the loop does.
const (
	forwardLoop  = loopname.ForwardResidual
	backwardLoop = "backward_residual_"
	testLoop     = "test_residual_"
)

// Train implements residual.Form.
func (f Form) Train(scope *model.Scope, s residual.Stack, h, gates, scales *Node) *Node {
	if s.Images != nil {
		return f.trainSubBatches(scope, s, h, gates, scales)
	}
	g, open := h.Graph(), residual.OpenBlocks(gates)
	open.AssertDims(s.Count)
	l := f.newLoop(scope, s, h, true, scales != nil)
	l.perSample, l.dtype = gates.Rank() == 2, s.DType(scope, h)
	if !f.Recompute {
		l.kept = l.keeps(g)
	}
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
	shortcut  *Node          // of the first block
	closed    *Node          // the stack's output with all blocks closed: the shortcut, joined with zeros if it has parameters
	changes   bool           // the shortcut is not the input: a stack of one block
	scaled    bool           // each branch is multiplied by its scale
	perSample bool           // gates are per sample, but not those of sub-batches
	subBatch  bool           // each block is computed for a part of the images
	dtype     dtypes.DType   // of parameters, or of activations where a block has none
	input     shapes.Shape   // of a block, [batch, ...]; of a sub-batch its images only
	kept      []shapes.Shape // of what a block keeps for its gradient
	normalize residual.Normalizer
	cpu       bool
}

func (f Form) newLoop(scope *model.Scope, s residual.Stack, h *Node, training, scaled bool) *loop {
	l := &loop{stack: s, trained: s.Trained(), averages: s.Averages(),
		shortcut: s.Shortcut(scope, h, training, f.Normalize), scaled: scaled, input: h.Shape(),
		normalize: f.Normalize, cpu: f.CPU}
	l.closed = l.shortcut
	if len(s.OfShortcut()) > 0 {
		l.closed = s.Join(ZerosLike(l.shortcut), l.shortcut)
	}
	l.changes = l.shortcut != h
	if l.changes && s.Count > 1 {
		panic(errors.New("a stack whose blocks have another shortcut than the identity must be of one block"))
	}
	return l
}

// parameters returns the stacked parameters, named as the loops carry them.
func (l *loop) parameters(scope *model.Scope, g *Graph) loops.Values {
	values := make(loops.Values)
	for _, p := range l.trained {
		values[ownOf+p.Name] = l.stack.Value(scope, g, p)
	}
	return values
}

// forwardNames lists what the forward loop carries:
//
//	k, count, order   position among the open blocks, their number, their indices
//	input, shortcut   of the stack, if they differ
//	inputs            else: the input of open block k in row k
//	kept_...          what open block k keeps for its gradient in row k
//	h                 the newest output
//	own_...           the blocks' parameters
//	scales            of each block's branch, if there are any
//	weights           of the images in each block, if gates are per sample
//	images, position  of sub-batches, see take and put
//	measured_...      by block, zero for closed ones
func (l *loop) forwardNames() []string {
	names := []string{"k", "count", "order"}
	if l.changes {
		names = append(names, "input", "shortcut")
	} else {
		names = append(names, "inputs")
	}
	for i := range l.kept {
		names = append(names, keptAs(i))
	}
	names = append(names, "h")
	for _, p := range l.trained {
		names = append(names, ownOf+p.Name)
	}
	if l.scaled {
		names = append(names, "scales")
	}
	if l.perSample {
		names = append(names, "weights")
	}
	if l.subBatch {
		names = append(names, "images", "position")
	}
	for _, p := range l.averages {
		names = append(names, measuredOf+p.Name)
	}
	return names
}

// The names of a block's own values get a word before them: a parameter may have any name, also that of a value of the
// loops.
const (
	ownOf      = "own_"      // parameters, and at test running averages
	measuredOf = "measured_" // see forwardNames
)

// keptAs names the i-th of what a block keeps.
func keptAs(i int) string { return fmt.Sprintf("kept_%d", i) }

// keeps returns the shapes of what a block keeps, from a graph that is made for this only.
func (l *loop) keeps(of *Graph) (kept []shapes.Shape) {
	g := NewGraph(of.Backend(), "kept")
	defer g.Finalize()
	values := make(map[string]*Node)
	for _, p := range l.trained {
		values[p.Name] = Parameter(g, ownOf+p.Name, shapes.Make(l.dtype, p.Dims...))
	}
	b := residual.NewBranch(true, true, values)
	b.Normalize, b.CPU = l.normalize, l.cpu
	if l.perSample {
		b.Weights = Parameter(g, "weights", shapes.Make(l.dtype, l.input.Dimensions[0]))
	}
	b.Keep = func(y *Node) *Node {
		kept = append(kept, y.Shape())
		return y
	}
	l.stack.Branch(b, Parameter(g, "input", l.input))
	return kept
}

// run builds the forward loop and registers its gradient. It returns the stack's output and what its open blocks have
// measured, [Count, ...] by name.
func (l *loop) run(h *Node, initial loops.Values) (out *Node, measured map[string]*Node) {
	g := h.Graph()
	for _, p := range l.averages {
		dims := append([]int{l.stack.Count}, p.Dims...)
		initial[measuredOf+p.Name] = Zeros(g, shapes.Make(l.dtype, dims...))
	}
	initial["k"], initial["h"] = Const(g, int32(0)), l.closed
	initial["input"], initial["shortcut"] = h, l.shortcut
	if !l.changes {
		initial["inputs"] = Zeros(g, loops.Stacked(l.input, l.stack.Count))
	}
	for i, shape := range l.kept {
		initial[keptAs(i)] = Zeros(g, loops.Stacked(shape, l.stack.Count))
	}
	st := initial.State(l.forwardNames()...)
	results := st.While(g, forwardLoop, initial, func(v loops.Values) *Node {
		return LessThan(v["k"], v["count"])
	}, l.forwardBlock)
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
	var x, shortcut *Node
	if l.changes {
		x = l.take(v, block, loops.InTurn(v["k"], v["input"]))
		shortcut = l.take(v, block, loops.InTurn(v["k"], v["shortcut"]))
	} else {
		x = l.take(v, block, v["h"])
		shortcut = x
	}
	b, next := l.branch(v, block, l.rows(v, block)), loops.Values{"k": v.Next()}
	if len(l.kept) > 0 {
		i := 0
		b.Keep = func(y *Node) *Node {
			next[keptAs(i)] = loops.Save(v[keptAs(i)], y, v["k"])
			i++
			return y
		}
	}
	next["h"] = l.put(v, block, l.join(b, v, block, x, shortcut), v["h"])
	if !l.changes {
		next["inputs"] = loops.Save(v["inputs"], x, v["k"])
	}
	for _, p := range l.averages {
		stack := v[measuredOf+p.Name]
		next[measuredOf+p.Name] = loops.Save(stack, ConvertDType(b.Measured(p.Name), stack.DType()), block)
	}
	return next
}

// branch returns the Branch of one block in training, with its values.
func (l *loop) branch(v loops.Values, block *Node, rows map[string]*Node) *residual.Branch {
	b := residual.NewBranch(true, true, rows)
	b.Normalize, b.CPU = l.normalize, l.cpu
	if l.perSample {
		b.Weights = loops.Row(v["weights"], block)
	}
	return b
}

// join returns the output of an open block: Join(scale f(x), shortcut), or for a closed image Join(0, shortcut).
func (l *loop) join(b *residual.Branch, v loops.Values, block, x, shortcut *Node) *Node {
	f := l.stack.Branch(b, x)
	if l.scaled {
		f = Mul(f, ConvertDType(loops.Row(v["scales"], block), f.DType()))
	}
	if b.Weights != nil {
		f = Mul(f, ConvertDType(residual.WithAxes(Sign(b.Weights), f.Rank()-1), f.DType()))
	}
	return l.stack.Join(f, shortcut)
}

// rows returns the parameters of one block.
func (l *loop) rows(v loops.Values, block *Node) map[string]*Node {
	rows := make(map[string]*Node, len(l.trained))
	for _, p := range l.trained {
		rows[p.Name] = loops.Row(v[ownOf+p.Name], block)
	}
	return rows
}

// Test implements residual.Form.
func (f Form) Test(scope *model.Scope, s residual.Stack, h, scales *Node) *Node {
	g := h.Graph()
	l := f.newLoop(scope, s, h, false, true)
	initial := l.parameters(scope, g)
	for _, p := range l.averages {
		initial[ownOf+p.Name] = s.Value(scope, g, p)
	}
	initial["k"], initial["input"], initial["h"], initial["scales"] = Const(g, int32(0)), h, l.shortcut, scales
	names := []string{"k", "h", "scales"}
	if l.changes {
		names = append(names, "input")
	}
	own := append(l.trained, l.averages...)
	for _, p := range own {
		names = append(names, ownOf+p.Name)
	}
	st := initial.State(names...)
	results := st.While(g, testLoop, initial, func(v loops.Values) *Node {
		return LessThan(v["k"], Const(v["k"].Graph(), int32(s.Count)))
	}, func(g *Graph, v loops.Values) loops.Values {
		x := v["h"]
		if l.changes {
			x = v["input"]
		}
		rows := make(map[string]*Node)
		for _, p := range own {
			rows[p.Name] = loops.Row(v[ownOf+p.Name], v["k"])
		}
		return loops.Values{"k": v.Next(), "h": l.join(residual.NewBranch(false, true, rows), v, v["k"], x, v["h"])}
	})
	return results[st.Index["h"]]
}
