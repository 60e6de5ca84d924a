package resnet

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/depth"
)

// Forward builds the whole network in training or test mode, as the scope says, and returns the
// logits [batch, classes] in the parameters' type.
//
// images is [batch, 32, 32, 3], normalised. gates, used in training only, is 1 for open and 0 for
// closed: [L], one gate a block for the whole minibatch as in the paper, or [batch, L], one for each
// sample.
//
// In training a block is H_l = ReLU(b_l f_l(H_{l-1}) + id(H_{l-1})) (Eq. 2); at test
// H_l = ReLU(p_l f_l(H_{l-1}) + id(H_{l-1})) (Eq. 5).
func (n *Network) Forward(scope *model.Scope, images, gates *Node) *Node {
	h := n.Stem(scope, images)
	for _, s := range n.Stages() {
		h = n.unrolled(scope, s, h, gates)
	}
	return n.Head(scope, h)
}

// unrolled builds the blocks of one stage one after the other: h [batch, side, side, in] becomes
// [batch, s.Side, s.Side, s.Out].
func (n *Network) unrolled(scope *model.Scope, s Stage, h, gates *Node) *Node {
	training := scope.IsTraining(h.Graph())
	var statistics [4][]*Node // mean1, variance1, mean2, variance2 of each block
	for i := range s.Count {
		var f *Node
		if training {
			var measured [4]*Node
			f, measured = n.branchTrain(scope, s, i, h)
			f = Mul(f, n.gate(scope, gates, s, i, f))
			for k, v := range measured {
				statistics[k] = append(statistics[k], v)
			}
		} else {
			f = n.branchTest(scope, s, i, h)
			f = Mul(f, ConvertDType(blockScale(n.TestScales(scope, h.Graph(), s), i), f.DType()))
		}
		h = Relu(Add(f, n.Shortcut(s, h)))
	}
	if training {
		count := h.Shape().Size() / s.Out
		open := openBlocks(gates, s)
		UpdateAverages(scope, s.Name, "1", Stack(statistics[0], 0), Stack(statistics[1], 0), count, open)
		UpdateAverages(scope, s.Name, "2", Stack(statistics[2], 0), Stack(statistics[3], 0), count, open)
	}
	return h
}

// branchTrain is f_l in training: Conv-BN-ReLU-Conv-BN with batch statistics, which it returns: mean1, variance1, mean2,
// variance2.
func (n *Network) branchTrain(scope *model.Scope, s Stage, i int, h *Node) (f *Node, statistics [4]*Node) {
	p := func(name string) *Node { return blockOf(scope, h.Graph(), s, name, i) }
	f, mean1, variance1 := batchNormTrain(Convolve3x3(h, p("kernel1"), s.Stride), p("scale1"), p("offset1"))
	f, mean2, variance2 := batchNormTrain(Convolve3x3(Relu(f), p("kernel2"), 1), p("scale2"), p("offset2"))
	return f, [4]*Node{mean1, variance1, mean2, variance2}
}

// branchTest is f_l at test: Conv-BN-ReLU-Conv-BN with the running averages.
func (n *Network) branchTest(scope *model.Scope, s Stage, i int, h *Node) *Node {
	p := func(name string) *Node { return blockOf(scope, h.Graph(), s, name, i) }
	f := Normalize(Convolve3x3(h, p("kernel1"), s.Stride), p("scale1"), p("offset1"), p("mean1"), p("variance1"))
	return Normalize(Convolve3x3(Relu(f), p("kernel2"), 1), p("scale2"), p("offset2"), p("mean2"), p("variance2"))
}

// gate returns what an open or closed block's branch f is multiplied by in training: a scalar, or
// [batch, 1, 1, 1] for gates per sample.
func (n *Network) gate(scope *model.Scope, gates *Node, s Stage, i int, f *Node) *Node {
	var b *Node
	if gates.Rank() == 1 {
		b = Reshape(Slice(gates, AxisElem(s.First+i)))
	} else {
		b = Reshape(Slice(gates, AxisRange(), AxisElem(s.First+i)), gates.Shape().Dimensions[0], 1, 1, 1)
	}
	b = ConvertDType(b, f.DType())
	if n.Inverted {
		b = Mul(b, ConvertDType(blockScale(n.TrainScales(scope, f.Graph(), s), i), f.DType()))
	}
	return b
}

// TrainScales is what the open branches of a stage are multiplied by in training when Inverted:
// 1/p_l [Count], in the parameters' type.
func (n *Network) TrainScales(scope *model.Scope, g *Graph, s Stage) *Node {
	p := survivalOf(scope, g, s)
	return Div(OnesLike(p), p)
}

// TestScales is what the branches of a stage are multiplied by at test: p_l (Eq. 5), or 1 when
// Inverted; [Count], in the parameters' type.
func (n *Network) TestScales(scope *model.Scope, g *Graph, s Stage) *Node {
	p := survivalOf(scope, g, s)
	if n.Inverted {
		return OnesLike(p)
	}
	return p
}

// survivalOf returns the survival probabilities in force of a stage's blocks, [Count].
func survivalOf(scope *model.Scope, g *Graph, s Stage) *Node {
	return Slice(value(scope, g, SurvivalVariable), AxisRange(s.First, s.First+s.Count))
}

// blockScale returns the scalar of block i of a stage.
func blockScale(scales *Node, i int) *Node { return Reshape(Slice(scales, AxisElem(i))) }

// Stem is the first layer: Conv-BN-ReLU, [batch, 32, 32, 3] becomes [batch, 32, 32, 16].
func (n *Network) Stem(scope *model.Scope, images *Node) *Node {
	g := images.Graph()
	images.AssertDims(-1, Side, Side, Channels)
	p := func(name string) *Node { return value(scope, g, "stem/"+name) }
	x := Convolve3x3(ConvertDType(images, n.DType), p("kernel"), 1)
	if !scope.IsTraining(g) {
		return Relu(Normalize(x, p("scale"), p("offset"), p("mean"), p("variance")))
	}
	y, mean, variance := batchNormTrain(x, p("scale"), p("offset"))
	UpdateAverages(scope, "stem", "", mean, variance, x.Shape().Size()/Filters[0], nil)
	return Relu(y)
}

// Head is the last layer: the average over the 8x8 pixels, then linear. h [batch, 8, 8, 64] becomes
// the logits [batch, classes], in the parameters' type.
func (n *Network) Head(scope *model.Scope, h *Node) *Node {
	g := h.Graph()
	h.AssertDims(-1, Side/4, Side/4, Filters[depth.Groups-1])
	features := ReduceMean(ConvertDType(h, n.ParameterDType()), 1, 2)
	logits := Dot(features, value(scope, g, "linear/weights")).Product()
	return Add(logits, ExpandLeftToRank(value(scope, g, "linear/bias"), 2))
}

// blockOf returns the parameters of block i of a stage, without the leading axis.
func blockOf(scope *model.Scope, g *Graph, s Stage, name string, i int) *Node {
	stacked := value(scope, g, s.Name+"/"+name)
	return Reshape(Slice(stacked, AxisRange(i, i+1)), stacked.Shape().Dimensions[1:]...)
}

// openBlocks returns the gates [Count] of a stage's blocks for its batch-norm averages. With gates
// per sample a block is computed for the whole batch, so its averages always move: nil.
func openBlocks(gates *Node, s Stage) *Node {
	if gates.Rank() != 1 {
		return nil
	}
	return Slice(gates, AxisRange(s.First, s.First+s.Count))
}
