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
	count     int // of blocks
	kept      int // blocks whose convolutions' outputs are kept: all, or one under Recompute
	inverted  bool
	perSample bool // the gates

	parameterType dtypes.DType    // of the statistics too
	input         shapes.Shape    // [batch, Side*Stride, Side*Stride, In], the block's input
	output        shapes.Shape    // [batch, Side, Side, Out]
	parameter     [3]shapes.Shape // of one block: kernel1, kernel2, affine
	sums          sums
}

// newLoop is for so many blocks on images or activations x.
func (f Form) newLoop(block resnet.Basic, count int, x *Node, parameterType dtypes.DType) *loop {
	activationType, batch, s := x.DType(), x.Shape().Dimensions[0], block.Shape
	kept := count
	if f.Recompute {
		kept = min(1, kept)
	}
	return &loop{block: block, count: count, kept: kept, parameterType: parameterType,
		input:     shapes.Make(activationType, batch, s.Side*s.Stride, s.Side*s.Stride, s.In),
		output:    shapes.Make(activationType, batch, s.Side, s.Side, s.Out),
		parameter: [3]shapes.Shape{shapes.Make(parameterType, 3, 3, s.In, s.Out), shapes.Make(parameterType, 3, 3, s.Out, s.Out), shapes.Make(parameterType, 4, s.Out)},
		sums:      f.sums(x.Graph()),
	}
}

// transition reports whether the block's shortcut changes the shape.
func (l *loop) transition() bool { return l.block.Stride != 1 }

// parameterNames are those of the parameters in a loop's state. What is small is packed, so that a GPU has
// less to launch: affine is scale1, offset1, scale2, offset2 [4, Out] of each block, and so are the
// statistics: mean1, variance1, mean2, variance2.
var parameterNames = [3]string{"kernel1", "kernel2", "affine"}

// packed are a stack's parameters as a loop takes them.
func packed(scope *model.Scope, g *Graph, s residual.Stack) [3]*Node {
	value := func(name string) *Node { return residual.Variable(scope, s.Name+"/"+name).NodeValue(g) }
	affine := []*Node{value("scale1"), value("offset1"), value("scale2"), value("offset2")}
	return [3]*Node{value("kernel1"), value("kernel2"), Stack(affine, 1)}
}

// forwardState is what the forward loop carries:
//
//	k, count, order   position among the open blocks, their number, their indices
//	x                 a transition's input (a plain block's input is the last saved)
//	h                 the newest output
//	parameters        stacked over the stage's blocks
//	scales            of each block's branch, if there are any
//	weights           of the images in each block, if gates are per sample (residual.Branch)
//	outputs           slot 0 the stage's shortcut, slot k+1 what open block k gave
//	first, second     what the convolutions of open block k gave; if computed again, memory for one block
//	statistics        batch mean and variance of both batch normalisations, by block, zero for closed ones
func (l *loop) forwardState() *loops.State {
	st, count := &loops.State{}, l.count
	st.Add("k", shapes.Make(loops.Int32))
	st.Add("count", shapes.Make(loops.Int32))
	st.Add("order", shapes.Make(loops.Int32, count))
	if l.transition() {
		st.Add("x", l.input)
	}
	st.Add("h", l.output)
	for i, name := range parameterNames {
		st.Add(name, loops.Stacked(l.parameter[i], count))
	}
	if l.inverted {
		st.Add("scales", shapes.Make(l.parameterType, count))
	}
	if l.perSample {
		st.Add("weights", shapes.Make(l.parameterType, count, l.output.Dimensions[0]))
	}
	st.Add("outputs", loops.Stacked(l.output, count+1))
	st.Add("first", loops.Stacked(l.output, l.kept))
	st.Add("second", loops.Stacked(l.output, l.kept))
	st.Add("statistics", loops.Stacked(l.parameter[2], count))
	return st
}

// run builds the forward loop and registers its gradient. shortcut is what the stage gives with all
// blocks closed, x its input (the same but for a transition). It returns the stage's output and the
// batch statistics [Count, 4, Out]. initial has order and count, and scales and weights or nil.
func (l *loop) run(shortcut, x *Node, initial loops.Values, parameters [3]*Node) (out, statistics *Node) {
	g, st := shortcut.Graph(), l.forwardState()
	initial["k"], initial["x"], initial["h"] = Const(g, int32(0)), x, shortcut
	for i, name := range parameterNames {
		initial[name] = parameters[i]
	}
	for i, name := range st.Names {
		if initial[name] == nil {
			initial[name] = Zeros(g, st.Shapes[i])
		}
	}
	initial["outputs"] = DynamicUpdateSlice(initial["outputs"], InsertAxes(shortcut, 0), loops.At(Const(g, int32(0)), 4))
	results := st.While(g, loopname.ForwardBlock, initial, func(v loops.Values) *Node {
		return LessThan(v["k"], v["count"])
	}, l.forwardBlock)
	loops.Register(results, func(gradients []*Node) []*Node {
		return l.backward(st, initial, results, gradients[st.Index["h"]])
	})
	return results[st.Index["h"]], StopGradient(results[st.Index["statistics"]])
}

// forwardBlock computes one open block: H = ReLU(f(H) + id(H)) (Eq. 2 with an open gate), for an image whose gate is
// closed H = ReLU(id(H)).
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

// weights are those of a block's images, [batch, 1, 1, 1], or nil.
func (l *loop) weights(v loops.Values, block *Node) *Node {
	if !l.perSample {
		return nil
	}
	return residual.WithAxes(loops.Row(v["weights"], block), 3)
}

// scaled is a block's branch, or its gradient, times the block's scale, and zero for closed images.
func (l *loop) scaled(v loops.Values, block, weights, f *Node) *Node {
	if l.inverted {
		f = Mul(f, ConvertDType(loops.Row(v["scales"], block), f.DType()))
	}
	if l.perSample {
		f = Mul(f, ConvertDType(Sign(weights), f.DType()))
	}
	return f
}

// recomputes says whether the convolutions' outputs are computed again for the gradient.
func (l *loop) recomputes() bool { return l.kept < l.count }

// parts are the rows of [4, Out].
func parts(small *Node) (rows [4]*Node) {
	for i := range rows {
		rows[i] = Reshape(Slice(small, AxisElem(i)), small.Shape().Dimensions[1])
	}
	return rows
}

func zero(g *Graph, dtype dtypes.DType) *Node { return ConstAsDType(g, dtype, 0.0) }

func relu(x *Node) *Node { return Max(x, zero(x.Graph(), x.DType())) }
