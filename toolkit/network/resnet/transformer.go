package resnet

import (
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/residual"
)

// Encoder says how wide a transformer is, and in which form it computes GELU and layer normalisation.
type Encoder struct {
	Width, Heads, Hidden int // of a token; of the attention; inside the MLP
	// Vision computes as timm's and torchvision's vision transformers do: GELU by erf, and 1e-6 added to the variance in layer
	// normalisation. Otherwise GELU is its approximation by tanh, which is faster on a CPU, and 1e-5 is added.
	Vision bool
}

// encoders are those with a name: the default, and the three of Touvron et al. 2021 (arXiv 2012.12877, Table 1).
var encoders = map[string]Encoder{
	"small":     {Width: 128, Heads: 4, Hidden: 256},
	"vit-tiny":  {Width: 192, Heads: 3, Hidden: 768, Vision: true},
	"vit-small": {Width: 384, Heads: 6, Hidden: 1536, Vision: true},
	"vit-base":  {Width: 768, Heads: 12, Hidden: 3072, Vision: true},
}

// EncoderNamed returns the encoder of a name: small, vit-tiny, vit-small or vit-base.
func EncoderNamed(name string) (e Encoder, known bool) {
	e, known = encoders[name]
	return e, known
}

// epsilon is added to the variance in layer normalisation.
func (e Encoder) epsilon() float64 {
	if e.Vision {
		return 1e-6
	}
	return Epsilon
}

// Transformer is the block of a transformer's encoder, normalised first (Dosovitskiy et al. 2021, arXiv 2010.11929),
// H = f(H) + H with
//
//	f(x) = a + MLP(LN(x + a)),  a = attention(LN(x))
//
// on x [batch, tokens, width]. A gate closes both parts at once, as LayerDrop does for a minibatch (Fan et al. 2019, arXiv
// 1909.11556).
type Transformer struct {
	residual.Identity
	Encoder
	Tokens int // of an image
}

// Parameters lists the weights [in, out] and biases of the attention's queries, keys and values together (qkv), of its
// output (projection) and of the MLP's two layers, and the scales and offsets of two layer normalisations.
func (t Transformer) Parameters() []residual.Parameter {
	return slices.Concat(
		LayerNormParameters("1", t.Width),
		LinearParameters("qkv", t.Width, 3*t.Width), LinearParameters("projection", t.Width, t.Width),
		LayerNormParameters("2", t.Width),
		LinearParameters("mlp1", t.Width, t.Hidden), LinearParameters("mlp2", t.Hidden, t.Width))
}

// Branch implements residual.Block.
func (t Transformer) Branch(p *residual.Branch, x *Node) *Node {
	gelu := geluByTanh
	if t.Vision {
		gelu = geluByErf
	}
	a := t.attention(p, layerNorm(p, "1", x, t.epsilon()))
	hidden := gelu(Linear(p, "mlp1", layerNorm(p, "2", Add(x, a), t.epsilon())))
	return Add(a, Linear(p, "mlp2", hidden))
}

// attention is softmax(q k^T / sqrt(d)) v in each head of width d, and a linear layer (Vaswani et al. 2017).
func (t Transformer) attention(p *residual.Branch, x *Node) *Node {
	batch, tokens, d := x.Shape().Dimensions[0], x.Shape().Dimensions[1], t.Width/t.Heads
	var part func(i int) *Node // queries, keys or values, [batch, tokens, heads, d]
	if byProducts(p) {
		// Three products: the gradients of three parts of one product would be filled up with zeros and added. They are kept in
		// the order in which the products below need them.
		weights, bias := p.Value("qkv_weights"), p.Value("qkv_bias")
		part = func(i int) *Node {
			columns := AxisRange(i*t.Width, (i+1)*t.Width)
			y := linear(p, x, Slice(weights, AxisRange(), columns), Slice(bias, columns))
			return Transpose(p.Keep(Transpose(Reshape(y, batch, tokens, t.Heads, d), 1, 2)), 1, 2)
		}
	} else {
		qkv := Reshape(Linear(p, "qkv", x), batch, tokens, 3, t.Heads, d)
		part = func(i int) *Node {
			return Reshape(Slice(qkv, AxisRange(), AxisRange(), AxisElem(i)), batch, tokens, t.Heads, d)
		}
	}
	queries := MulScalar(part(0), 1/math.Sqrt(float64(d)))
	scores := Einsum("bqhd,bkhd->bhqk", queries, part(1))
	mixed := keep(p, Einsum("bhqk,bkhd->bqhd", softmax(p, scores), part(2)))
	return Linear(p, "projection", Reshape(mixed, batch, tokens, t.Width))
}

// geluByErf is x Phi(x) of any shape (Hendrycks and Gimpel 2016).
func geluByErf(x *Node) *Node {
	return MulScalar(Mul(x, OnePlus(Erf(MulScalar(x, math.Sqrt2/2)))), 0.5)
}

// geluByTanh is its approximation by tanh.
func geluByTanh(x *Node) *Node {
	inner := MulScalar(Add(x, MulScalar(Mul(x, Square(x)), 0.044715)), math.Sqrt(2/math.Pi))
	return MulScalar(Mul(x, OnePlus(Tanh(inner))), 0.5)
}

// MultiplyAdds counts those of all products, for one image.
func (t Transformer) MultiplyAdds() int64 {
	tokens, w := int64(t.Tokens), int64(t.Width)
	return tokens*(4*w*w+2*w*int64(t.Hidden)) + 2*tokens*tokens*w
}
