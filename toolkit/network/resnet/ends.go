package resnet

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/residual"
)

// part is what lies before or after the blocks.
type part struct {
	name         string // scope of its variables
	parameters   []residual.Parameter
	build        func(p *residual.Branch, x *Node) *Node
	output       []int // for one image
	multiplyAdds int64 // for one image
}

// run computes a part in training or test mode, as the scope says.
func (p part) run(scope *model.Scope, x *Node) *Node {
	g := x.Graph()
	values := make(map[string]*Node)
	for _, v := range p.parameters {
		values[v.Name] = residual.Variable(scope, p.name+"/"+v.Name).NodeValue(g)
	}
	b := residual.NewBranch(scope.IsTraining(g), false, values)
	y := p.build(b, x)
	for _, v := range p.parameters {
		if v.Average && b.Training {
			residual.MoveAverage(scope, p.name+"/"+v.Name, b.Measured(v.Name), nil)
		}
	}
	return y
}

// stem is Conv-BN-ReLU in the paper; [batch, 32, 32, 3] becomes [batch, 32, 32, 16].
func (c convolutional) stem(n *Network) part {
	out := Filters[0]
	p := part{name: "stem", parameters: ConvolutionParameters("kernel", 3, Channels, out), output: []int{Side, Side, out},
		multiplyAdds: 9 * Channels * int64(out) * Side * Side}
	convolve := func(b *residual.Branch, x *Node) *Node { return Convolution(b, x, b.Value("kernel"), 1) }
	if c.preactivated {
		p.build = convolve
		return p
	}
	p.parameters = append(p.parameters, BatchNormParameters("", out, n.Scale.start())...)
	p.build = func(b *residual.Branch, x *Node) *Node { return Relu(BatchNorm(b, "", convolve(b, x))) }
	return p
}

// head is the average over the 8x8 pixels, after BN-ReLU if blocks are pre-activated: [batch, 8, 8, channels] becomes
// [batch, channels].
func (c convolutional) head(n *Network) part {
	channels := c.widening * Filters[len(Filters)-1]
	average := func(x *Node) *Node { return ReduceMean(ConvertDType(x, n.ParameterDType()), 1, 2) }
	p := part{name: "head", output: []int{channels}, build: func(_ *residual.Branch, x *Node) *Node { return average(x) }}
	if c.preactivated {
		p.parameters = BatchNormParameters("", channels, n.Scale.start())
		p.build = func(b *residual.Branch, x *Node) *Node { return average(Relu(BatchNorm(b, "", x))) }
	}
	return p
}

// Of the transformer's input: patches of 4x4 pixels, a token each.
const (
	patch  = 4
	tokens = (Side / patch) * (Side / patch)
)

// stem is a linear layer over patches, and a learned position of each: [batch, 32, 32, 3] becomes
// [batch, tokens, width].
func (e encoder) stem(*Network) part {
	const values = patch * patch * Channels
	return part{name: "stem", output: []int{tokens, e.width}, multiplyAdds: tokens * values * int64(e.width),
		parameters: append(LinearParameters("patches", values, e.width),
			residual.Parameter{Name: "positions", Dims: []int{tokens, e.width}, Start: residual.Normal(0.02)}),
		build: func(b *residual.Branch, x *Node) *Node {
			batch := x.Shape().Dimensions[0]
			x = Reshape(x, batch, Side/patch, patch, Side/patch, patch, Channels)
			x = Reshape(TransposeAllAxes(x, 0, 1, 3, 2, 4, 5), batch, tokens, values)
			return Add(Linear(b, "patches", x), InsertAxes(ConvertDType(b.Value("positions"), x.DType()), 0))
		}}
}

// head is the average over the tokens after layer normalisation: [batch, tokens, width] becomes [batch, width].
func (e encoder) head(n *Network) part {
	return part{name: "head", output: []int{e.width}, parameters: LayerNormParameters("", e.width),
		build: func(b *residual.Branch, x *Node) *Node {
			return ReduceMean(ConvertDType(LayerNorm(b, "", x), n.ParameterDType()), 1)
		}}
}
