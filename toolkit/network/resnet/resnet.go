package resnet

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/residual"
)

// Form is a way to compute a network's stem and its stacks of blocks.
type Form interface {
	residual.Form
	// Stem computes the same as [Network.Stem].
	Stem(n *Network, scope *model.Scope, images *Node) *Node
}

// Textbook is the form that is written to be read.
type Textbook struct{ residual.Textbook }

// Stem implements Form.
func (Textbook) Stem(n *Network, scope *model.Scope, images *Node) *Node {
	return n.Stem(scope, images, nil)
}

// Forward is [Network.ForwardIn] with the textbook form.
func (n *Network) Forward(scope *model.Scope, images, gates *Node) *Node {
	return n.ForwardIn(Textbook{}, scope, images, gates)
}

// ForwardIn builds the whole network in training or test mode, as the scope says, and returns the logits [batch, classes]
// in the parameters' type.
//
// images is [batch, height, width, channels], normalised. gates, used in training only, is 1 for open and 0 for closed:
// [L], one gate for each block and the whole minibatch, as in the paper, or [batch, L], one for each block and sample. If the
// network has SubBatches, the latter must be as depth.Survival.DrawImages draws them.
//
// In training a block is H_l = Join(b_l f_l(H_{l-1}), id(H_{l-1})) (Eq. 2, where Join is ReLU(f + id)); at test its gate
// b_l is replaced by p_l (Eq. 5). What is Frozen is computed as at test in training too.
func (n *Network) ForwardIn(form Form, scope *model.Scope, images, gates *Node) *Node {
	g := images.Graph()
	training := scope.IsTraining(g)
	frozen := training && n.Frozen > 0
	if frozen { // the stem and the first groups compute what they do at test
		scope.Store().SetTraining(g, false)
	}
	h := form.Stem(n, scope, images)
	batch, subBatches := images.Shape().Dimensions[0], training && n.SubBatches && gates.Rank() == 2
	for _, s := range n.Stages() {
		if frozen && !n.IsFrozen(s) {
			frozen, h = false, StopGradient(h)
			scope.Store().SetTraining(g, true)
		}
		if !training || frozen {
			h = form.Test(scope, s.Stack, h, n.testScales(scope, g, s))
			continue
		}
		var scales *Node
		if n.Inverted {
			p := survivalOf(scope, g, s)
			if subBatches { // the shares of this minibatch, which may be smaller than others
				p = ConstAsDType(g, p.DType(), []float64(n.Survival[s.First:s.First+s.Count].Shares(batch)))
			}
			scales = Div(OnesLike(p), p)
		}
		if subBatches {
			s.Images = n.Survival[s.First : s.First+s.Count].Images(batch)
		}
		h = form.Train(scope, s.Stack, h, n.gatesOf(gates, s), scales)
	}
	if frozen {
		h = StopGradient(h)
		scope.Store().SetTraining(g, true)
	}
	return n.linear(scope, n.kind.head(n).run(scope, h, nil))
}

// gatesOf returns the gates of a stage's blocks.
func (n *Network) gatesOf(gates *Node, s Stage) *Node {
	blocks := AxisRange(s.First, s.First+s.Count)
	if gates.Rank() == 1 {
		gates.AssertDims(len(n.Survival))
		return Slice(gates, blocks)
	}
	gates.AssertDims(-1, len(n.Survival))
	return Slice(gates, AxisRange(), blocks)
}

// testScales returns the factors of a stage's branches at test, [Count] in the parameters' type: p_l (Eq. 5), or 1 if
// Inverted. In both cases a block with p_l = 0 is removed.
func (n *Network) testScales(scope *model.Scope, g *Graph, s Stage) *Node {
	p := survivalOf(scope, g, s)
	if n.Inverted {
		return ConvertDType(GreaterThan(p, ZerosLike(p)), p.DType())
	}
	return p
}

// survivalOf returns the current survival probabilities of a stage's blocks, [Count] in the parameters' type.
func survivalOf(scope *model.Scope, g *Graph, s Stage) *Node {
	return Slice(residual.Variable(scope, SurvivalVariable).NodeValue(g), AxisRange(s.First, s.First+s.Count))
}

// Stem computes the part before the blocks. In the paper that is Conv-BN-ReLU, and [batch, height, width, channels]
// becomes [batch, height, width, 16]. normalize, unless nil, is a form's own batch normalisation.
func (n *Network) Stem(scope *model.Scope, images *Node, normalize residual.Normalizer) *Node {
	images.AssertDims(n.Image.Batch(-1)...)
	return n.kind.stem(n).run(scope, ConvertDType(images, n.DType), normalize)
}

// linear is the last layer: features [batch, features] become the logits [batch, classes], in the parameters' type.
func (n *Network) linear(scope *model.Scope, features *Node) *Node {
	g := features.Graph()
	logits := Dot(features, residual.Variable(scope, "linear/weights").NodeValue(g)).Product()
	return Add(logits, ExpandLeftToRank(residual.Variable(scope, "linear/bias").NodeValue(g), 2))
}
