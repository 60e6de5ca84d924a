package byhand

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/internal/loopname"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors/internal/loops"
)

// loop builds the forward and backward loops over a stack's open blocks.
type loop struct {
	block     resnet.Basic
	count     int  // of blocks
	kept      int  // blocks whose convolutions' outputs are kept: all, or one under Recompute
	inverted  bool // branches are scaled in training
	perSample bool // gates are per sample

	parameterType dtypes.DType // of the statistics too
	input         shapes.Shape // [batch, Side*Stride, Side*Stride, In], the block's input
	output        shapes.Shape // [batch, Side, Side, Out]
	sums          sums
}

// newLoop returns the loop for a stack of count blocks on images or activations x.
func (f Form) newLoop(block resnet.Basic, count int, x *Node, parameterType dtypes.DType) *loop {
	activationType, batch, s := x.DType(), x.Shape().Dimensions[0], block.Shape
	kept := count
	if f.Recompute {
		kept = min(1, kept)
	}
	return &loop{block: block, count: count, kept: kept, parameterType: parameterType,
		input:  shapes.Make(activationType, batch, s.Side*s.Stride, s.Side*s.Stride, s.In),
		output: shapes.Make(activationType, batch, s.Side, s.Side, s.Out),
		sums:   f.sums(x.Graph()),
	}
}

// transition reports whether the block's shortcut changes the shape.
func (l *loop) transition() bool { return l.block.Stride != 1 }

// parameterNames are the names of the parameters in a loop's state. Small variables are packed, so that a GPU has fewer
// launches: affine has [4, Out] of each block, in the order of affineNames, and so have the statistics.
var (
	parameterNames = [3]string{"kernel1", "kernel2", "affine"}
	affineNames    = [4]string{"scale1", "offset1", "scale2", "offset2"}
	statisticNames = [4]string{"mean1", "variance1", "mean2", "variance2"}
)

// packed returns a stack's parameters as a loop takes them.
func packed(scope *model.Scope, g *Graph, s residual.Stack) [3]*Node {
	affine := stackOf(scope, g, s, affineNames)
	return [3]*Node{value(scope, g, s.Name+"/kernel1"), value(scope, g, s.Name+"/kernel2"), affine}
}

// stackOf packs variables of a stack, [Count, Out] each, into [Count, 4, Out].
func stackOf(scope *model.Scope, g *Graph, s residual.Stack, names [4]string) *Node {
	var values []*Node
	for _, name := range names {
		values = append(values, value(scope, g, s.Name+"/"+name))
	}
	return Stack(values, 1)
}

// value returns the node of a variable of the network.
func value(scope *model.Scope, g *Graph, name string) *Node {
	return residual.Variable(scope, name).NodeValue(g)
}

// forwardNames lists what the forward loop carries:
//
//	k, count, order   position among the open blocks, their number, their indices
//	x                 a transition's input (a plain block's input is the last saved output)
//	h                 the newest output
//	parameters        stacked over the stage's blocks
//	scales            of each block's branch, if there are any
//	weights           of the images in each block, if gates are per sample (residual.Branch)
//	outputs           the stage's shortcut in slot 0, the output of open block k in slot k+1
//	first, second     the outputs of open block k's convolutions; if these are computed again, memory for one block
//	statistics        the batch's mean and variance in both batch normalisations, by block, zero for closed ones
func (l *loop) forwardNames() []string {
	names := []string{"k", "count", "order"}
	if l.transition() {
		names = append(names, "x")
	}
	names = append(append(names, "h"), parameterNames[:]...)
	if l.inverted {
		names = append(names, "scales")
	}
	if l.perSample {
		names = append(names, "weights")
	}
	return append(names, "outputs", "first", "second", "statistics")
}

// run builds the forward loop and registers its gradient. shortcut is the stage's output with all blocks closed, x its
// input, which is the same except for a transition. It returns the stage's output and the batch statistics
// [Count, 4, Out]. initial has order and count, and scales and weights or nil.
func (l *loop) run(shortcut, x *Node, initial loops.Values, parameters [3]*Node) (out, statistics *Node) {
	g := shortcut.Graph()
	initial["k"], initial["x"], initial["h"] = Const(g, int32(0)), x, shortcut
	for i, name := range parameterNames {
		initial[name] = parameters[i]
	}
	outputs, kept := Zeros(g, loops.Stacked(l.output, l.count+1)), loops.Stacked(l.output, l.kept)
	initial["first"], initial["second"] = Zeros(g, kept), Zeros(g, kept)
	initial["statistics"] = Zeros(g, parameters[2].Shape())
	initial["outputs"] = DynamicUpdateSlice(outputs, InsertAxes(shortcut, 0), loops.At(Const(g, int32(0)), 4))
	st := initial.State(l.forwardNames()...)
	results := st.While(g, loopname.ForwardBlock, initial, func(v loops.Values) *Node {
		return LessThan(v["k"], v["count"])
	}, l.forwardBlock)
	loops.Register(results, func(gradients []*Node) []*Node {
		return l.backward(st, initial, results, gradients[st.Index["h"]])
	})
	return results[st.Index["h"]], StopGradient(results[st.Index["statistics"]])
}

// forwardBlock computes one open block: H = ReLU(f(H) + id(H)) (Eq. 2 with an open gate), or H = ReLU(id(H)) for an image
// whose gate is closed.
func (l *loop) forwardBlock(g *Graph, v loops.Values) loops.Values {
	block := v.Block()
	kernel1, kernel2, affine := loops.Row(v["kernel1"], block), loops.Row(v["kernel2"], block), parts(loops.Row(v["affine"], block))
	shortcut, x := v["h"], v["h"]
	if l.transition() {
		x = loops.InTurn(v["k"], v["x"])
	}
	first := resnet.Convolution(nil, x, kernel1, l.block.Stride)
	weights := l.weights(v, block)
	y, mean1, variance1 := l.normalize(first, affine[0], affine[1], weights)
	second := resnet.Convolution(nil, relu(y), kernel2, 1)
	f, mean2, variance2 := l.normalize(second, affine[2], affine[3], weights)
	f = l.scaled(v, block, weights, f)
	h := relu(Add(f, shortcut))
	next := loops.Values{
		"k":          v.Next(),
		"h":          h,
		"outputs":    loops.Save(v["outputs"], h, v.Next()),
		"statistics": loops.Save(v["statistics"], Stack([]*Node{mean1, variance1, mean2, variance2}, 0), block),
	}
	if !l.recomputes() {
		next["first"], next["second"] = loops.Save(v["first"], first, v["k"]), loops.Save(v["second"], second, v["k"])
	}
	return next
}

// weights returns the weights of a block's images, [batch, 1, 1, 1], or nil.
func (l *loop) weights(v loops.Values, block *Node) *Node {
	if !l.perSample {
		return nil
	}
	return residual.WithAxes(loops.Row(v["weights"], block), 3)
}

// scaled returns a block's branch, or its gradient, times the block's scale, and zero for closed images.
func (l *loop) scaled(v loops.Values, block, weights, f *Node) *Node {
	if l.inverted {
		f = Mul(f, ConvertDType(loops.Row(v["scales"], block), f.DType()))
	}
	if l.perSample {
		f = Mul(f, ConvertDType(Sign(weights), f.DType()))
	}
	return f
}

// recomputes reports whether the convolutions' outputs are computed again for the gradient.
func (l *loop) recomputes() bool { return l.kept < l.count }

// parts returns the rows [Out] of packed variables [4, Out].
func parts(packed *Node) (rows [4]*Node) {
	for i := range rows {
		rows[i] = Reshape(Slice(packed, AxisElem(i)), packed.Shape().Dimensions[1])
	}
	return rows
}

func zero(g *Graph, dtype dtypes.DType) *Node { return ConstAsDType(g, dtype, 0.0) }

func relu(x *Node) *Node { return Max(x, zero(x.Graph(), x.DType())) }
