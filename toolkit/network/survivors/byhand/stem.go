package byhand

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/internal/loopname"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors/internal/loops"
)

// Stem implements resnet.Form: in training images [batch, side, side, channels] become [batch, side, side, 16] in a loop
// of one turn. So its gradient is the short one written by hand, and package proxy finds it. The images get no gradient.
func (f Form) Stem(n *resnet.Network, scope *model.Scope, images *Node) *Node {
	g := images.Graph()
	if n.Block != depth.Basic || n.ImageNetStem || !scope.IsTraining(g) {
		return n.Stem(scope, images, f.normalizer())
	}
	images = ConvertDType(images, n.DType)
	shape := resnet.Shape{In: n.Image.Channels, Out: n.Filters(), Stride: 1, Side: n.Image.Height}
	l := f.newLoop(resnet.Basic{Shape: shape}, 0, images, n.ParameterDType())
	channels := shapes.Make(l.parameterType, l.block.Out)
	initial := loops.Values{
		"k": Const(g, int32(0)), "images": images,
		"kernel": value(scope, g, "stem/kernel"), "scale": value(scope, g, "stem/scale"), "offset": value(scope, g, "stem/offset"),
		"output": Zeros(g, l.output), "first": Zeros(g, l.output), "mean": Zeros(g, channels), "variance": Zeros(g, channels),
	}
	st := initial.State("k", "images", "kernel", "scale", "offset", "output", "first", "mean", "variance")
	results := st.While(g, loopname.ForwardStem, initial, func(v loops.Values) *Node {
		return LessThan(v["k"], Const(v["k"].Graph(), int32(1)))
	}, func(g *Graph, v loops.Values) loops.Values {
		first := resnet.Convolution(nil, v["images"], v["kernel"], 1)
		y, mean, variance := l.normalize(first, v["scale"], v["offset"], nil)
		return loops.Values{"k": v.Next(), "output": relu(y), "first": first, "mean": mean, "variance": variance}
	})
	result := func(name string) *Node { return results[st.Index[name]] }
	loops.Register(results, func(gradients []*Node) []*Node {
		all := make([]*Node, len(st.Names))
		for name, d := range l.stemGradient(initial, result, gradients[st.Index["output"]]) {
			all[st.Index[name]] = d
		}
		return all
	})
	output := result("output")
	values := output.Shape().Size() / l.block.Out
	residual.MoveAverage(scope, "stem/mean", StopGradient(result("mean")), nil)
	residual.MoveAverage(scope, "stem/variance", StopGradient(resnet.Unbiased(result("variance"), values)), nil)
	return output
}

// stemGradient builds the backward loop of the stem and returns the gradients of its parameters, by name.
func (l *loop) stemGradient(initial loops.Values, result func(name string) *Node, dh *Node) loops.Values {
	g := dh.Graph()
	values := loops.Values{"k": Const(g, int32(0)), "images": initial["images"], "dh": dh, "scale": initial["scale"]}
	for _, name := range []string{"output", "first", "mean", "variance"} {
		values[name] = result(name)
	}
	for _, name := range []string{"kernel", "scale", "offset"} {
		values["d"+name] = Zeros(g, initial[name].Shape())
	}
	st := values.State("k", "images", "dh", "scale", "output", "first", "mean", "variance", "dkernel", "dscale", "doffset")
	done := st.While(g, loopname.BackwardStem, values, func(v loops.Values) *Node {
		return GreaterOrEqual(v["k"], Const(v["k"].Graph(), int32(0)))
	}, func(g *Graph, v loops.Values) loops.Values {
		dy := positive(g, v["output"], v["dh"])
		dfirst, dscale, doffset := normalizeGradient(l.sums, v["first"], v["scale"], v["mean"], v["variance"], nil, dy)
		return loops.Values{"k": v.Previous(),
			"dkernel": l.kernelGradient(v["images"], dfirst, 1), "dscale": dscale, "doffset": doffset}
	})
	gradients := make(loops.Values)
	for _, name := range []string{"kernel", "scale", "offset"} {
		gradients[name] = done[st.Index["d"+name]]
	}
	return gradients
}
