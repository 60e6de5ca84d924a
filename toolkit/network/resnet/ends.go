package resnet

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/residual"
)

// part is a part of the network before or after the blocks.
type part struct {
	name         string // scope of its variables
	parameters   []residual.Parameter
	build        func(p *residual.Branch, x *Node) *Node
	output       []int // for one image
	multiplyAdds int64 // for one image
}

// run computes a part in training or test mode, as the scope says. normalize, unless nil, is the engine's batch normalisation.
func (p part) run(scope *model.Scope, x *Node, normalize residual.Normalizer) *Node {
	g := x.Graph()
	values := make(map[string]*Node)
	for _, v := range p.parameters {
		values[v.Name] = residual.Variable(scope, p.name+"/"+v.Name).NodeValue(g)
	}
	b := residual.NewBranch(scope.IsTraining(g), false, values)
	b.Normalize = normalize
	y := p.build(b, x)
	for _, v := range p.parameters {
		if v.Average && b.Training {
			residual.MoveAverage(scope, p.name+"/"+v.Name, b.Measured(v.Name), nil)
		}
	}
	return y
}

// stem is Conv-BN-ReLU in the paper; [batch, height, width, channels] becomes [batch, height, width, 16]. The stem for
// ImageNet makes it [batch, height/4, width/4, 64].
func (c convolutional) stem(n *Network) part {
	image, out, size, stride := n.Image, n.Filters(), 3, 1
	pool := func(x *Node) *Node { return x }
	if n.ImageNetStem {
		size, stride = 7, 2
		pool = func(x *Node) *Node { return largestOfThree(largestOfThree(x, 1), 2) }
	}
	side := halved(image.Height, stride)
	p := part{name: "stem", parameters: ConvolutionParameters("kernel", size, image.Channels, out),
		output: []int{n.stemSide(), n.stemSide(), out}, multiplyAdds: int64(size * size * image.Channels * out * side * side)}
	convolve := func(b *residual.Branch, x *Node) *Node { return Convolution(b, x, b.Value("kernel"), stride) }
	if c.preactivated {
		p.build = func(b *residual.Branch, x *Node) *Node { return pool(convolve(b, x)) }
		return p
	}
	p.parameters = append(p.parameters, BatchNormParameters("", out, n.Scale.start())...)
	p.build = func(b *residual.Branch, x *Node) *Node { return pool(BatchNormRelu(b, "", convolve(b, x))) }
	return p
}

// largestOfThree is max pooling along one axis, of windows of three that are centred on every other value; at the edges they
// have two. On a CPU XLA takes twice as long for its own operation with two axes, with its gradient.
func largestOfThree(x *Node, axis int) *Node {
	every := make([]SliceAxisSpec, x.Rank())
	for i := range every {
		every[i] = AxisRange()
	}
	part := func(r SliceAxisSpec) *Node {
		every[axis] = r
		return Slice(x, every...)
	}
	side := x.Shape().Dimensions[axis]
	before, after := part(AxisRange(0, 1)), part(AxisRange(1).Stride(2)) // once more the first, and the last if its window has two
	if side > 2 {
		before = Concatenate([]*Node{before, part(AxisRange(1, side-1).Stride(2))}, axis)
	}
	if side%2 == 1 {
		after = Concatenate([]*Node{after, part(AxisRange(side - 1))}, axis)
	}
	return Max(Max(before, part(AxisRange().Stride(2))), after)
}

// head is the average over the pixels, in the paper 8x8, after BN-ReLU if blocks are pre-activated:
// [batch, height/4, width/4, channels] becomes [batch, channels].
func (c convolutional) head(n *Network) part {
	channels := c.widening * n.Filters() << (len(n.Groups) - 1)
	average := func(x *Node) *Node { return ReduceMean(ConvertDType(x, n.ParameterDType()), 1, 2) }
	p := part{name: "head", output: []int{channels}, build: func(_ *residual.Branch, x *Node) *Node { return average(x) }}
	if c.preactivated {
		p.parameters = BatchNormParameters("", channels, n.Scale.start())
		p.build = func(b *residual.Branch, x *Node) *Node { return average(BatchNormRelu(b, "", x)) }
	}
	return p
}

// patches is the number of patches of an image.
func (n *Network) patches() int { return (n.Image.Height / n.Patch) * (n.Image.Width / n.Patch) }

// tokens is the number of tokens: the patches and the class token.
func (n *Network) tokens() int {
	if n.ClassToken {
		return n.patches() + 1
	}
	return n.patches()
}

// stem is a linear layer over patches, the class token before them if there is one, plus a learned position for each token:
// [batch, height, width, channels] becomes [batch, tokens, width].
func (encoder) stem(n *Network) part {
	image, patches, side, width := n.Image, n.patches(), n.Patch, n.Encoder.Width
	if image.Height%side > 0 {
		panic(fmt.Errorf("patches of %d pixels do not divide images of %d", side, image.Height))
	}
	values := side * side * image.Channels
	parameters := append(LinearParameters("patches", values, width),
		residual.Parameter{Name: "positions", Dims: []int{n.tokens(), width}, Start: residual.Normal(0.02)})
	if n.ClassToken {
		parameters = append(parameters,
			residual.Parameter{Name: "class_token", Dims: []int{1, width}, Start: residual.Normal(0.02)})
	}
	return part{name: "stem", output: []int{n.tokens(), width}, multiplyAdds: int64(patches * values * width),
		parameters: parameters,
		build: func(b *residual.Branch, x *Node) *Node {
			batch := x.Shape().Dimensions[0]
			x = Reshape(x, batch, image.Height/side, side, image.Width/side, side, image.Channels)
			x = Reshape(TransposeAllAxes(x, 0, 1, 3, 2, 4, 5), batch, patches, values)
			x = Linear(b, "patches", x)
			if n.ClassToken {
				token := InsertAxes(ConvertDType(b.Value("class_token"), x.DType()), 0)
				x = Concatenate([]*Node{BroadcastToDims(token, batch, 1, width), x}, 1)
			}
			return Add(x, InsertAxes(ConvertDType(b.Value("positions"), x.DType()), 0))
		}}
}

// head is the class token, or the average over the tokens, after layer normalisation: [batch, tokens, width] becomes
// [batch, width].
func (encoder) head(n *Network) part {
	width := n.Encoder.Width
	return part{name: "head", output: []int{width}, parameters: LayerNormParameters("", width),
		build: func(b *residual.Branch, x *Node) *Node {
			x = ConvertDType(layerNorm(b, "", x, n.Encoder.epsilon()), n.ParameterDType())
			if n.ClassToken {
				return Reshape(Slice(x, AxisRange(), AxisElem(0)), x.Shape().Dimensions[0], width)
			}
			return ReduceMean(x, 1)
		}}
}
