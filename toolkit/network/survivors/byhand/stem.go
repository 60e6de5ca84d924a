package byhand

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/internal/loopname"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors/internal/loops"
)

// stem is the first layer in training: images [batch, side, side, channels] become [batch, side, side, 16]. It is a loop
// of one turn, so that its gradient is the short one written by hand, and so that package proxy finds
// it. The images get no gradient.
func (f Form) stem(n *resnet.Network, scope *model.Scope, images *Node) *Node {
	g := images.Graph()
	images = ConvertDType(images, n.DType)
	value := func(name string) *Node { return residual.Variable(scope, "stem/"+name).NodeValue(g) }
	shape := resnet.Shape{In: n.Image.Channels, Out: resnet.Filters[0], Stride: 1, Side: n.Image.Height}
	l := f.newLoop(resnet.Basic{Shape: shape}, 0, images, n.ParameterDType())
	initial := loops.Values{
		"k": Const(g, int32(0)), "images": images, "kernel": value("kernel"), "scale": value("scale"), "offset": value("offset"),
	}
	st := &loops.State{}
	for _, name := range []string{"k", "images", "kernel", "scale", "offset"} {
		st.Add(name, initial[name].Shape())
	}
	channels := shapes.Make(l.parameterType, l.block.Out)
	for _, r := range []struct {
		name  string
		shape shapes.Shape
	}{{"output", l.output}, {"first", l.output}, {"mean", channels}, {"variance", channels}} {
		initial[r.name] = Zeros(g, r.shape)
		st.Add(r.name, r.shape)
	}
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

// stemGradient builds the backward loop of the stem and returns the gradients of its parameters by name.
func (l *loop) stemGradient(initial loops.Values, result func(name string) *Node, dh *Node) loops.Values {
	g, st := dh.Graph(), &loops.State{}
	values := loops.Values{"k": Const(g, int32(0)), "images": initial["images"], "dh": dh, "scale": initial["scale"]}
	for _, name := range []string{"output", "first", "mean", "variance"} {
		values[name] = result(name)
	}
	for _, name := range []string{"kernel", "scale", "offset"} {
		values["d"+name] = Zeros(g, initial[name].Shape())
	}
	for _, name := range []string{"k", "images", "dh", "scale", "output", "first", "mean", "variance", "dkernel", "dscale", "doffset"} {
		st.Add(name, values[name].Shape())
	}
	done := st.While(g, loopname.BackwardStem, values, func(v loops.Values) *Node {
		return GreaterOrEqual(v["k"], Const(v["k"].Graph(), int32(0)))
	}, func(g *Graph, v loops.Values) loops.Values {
		dy := positive(g, v["output"], v["dh"])
		dfirst, dscale, doffset := l.normalizeGradient(v["first"], v["scale"], v["mean"], v["variance"], nil, dy)
		return loops.Values{"k": v.Previous(),
			"dkernel": l.kernelGradient(v["images"], dfirst, 1), "dscale": dscale, "doffset": doffset}
	})
	gradients := make(loops.Values)
	for _, name := range []string{"kernel", "scale", "offset"} {
		gradients[name] = done[st.Index["d"+name]]
	}
	return gradients
}
