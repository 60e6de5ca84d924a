package survivors

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/kernels"
	"stochdepth/toolkit/resnet"
)

// stem is the first layer in training: images [batch, 32, 32, 3] become [batch, 32, 32, 16]. It is a loop
// of one turn, so that its gradient is the short one written by hand, and so that package kernels finds
// it. The images get no gradient.
func stem(n *resnet.Network, scope *model.Scope, images *Node) *Node {
	g := images.Graph()
	images = ConvertDType(images, n.DType)
	l := newLoop(g, n, resnet.Stage{In: resnet.Channels, Out: resnet.Filters[0], Stride: 1, Side: resnet.Side}, images.Shape().Dimensions[0])
	value := func(name string) *Node { return resnet.Variable(scope, "stem/"+name).NodeValue(g) }
	initial := map[string]*Node{
		"k": Const(g, int32(0)), "images": images, "kernel": value("kernel"), "scale": value("scale"), "offset": value("offset"),
	}
	st := &state{}
	for _, name := range []string{"k", "images", "kernel", "scale", "offset"} {
		st.add(name, initial[name].Shape())
	}
	channels := shapes.Make(l.wide, l.stage.Out)
	for _, r := range []struct {
		name  string
		shape shapes.Shape
	}{{"output", l.output}, {"first", l.output}, {"mean", channels}, {"variance", channels}} {
		initial[r.name] = Zeros(g, r.shape)
		st.add(r.name, r.shape)
	}
	results := st.while(g, kernels.ForwardStem, initial, func(v map[string]*Node) *Node {
		return LessThan(v["k"], Const(v["k"].Graph(), int32(1)))
	}, func(g *Graph, v map[string]*Node) map[string]*Node {
		first := resnet.Convolve3x3(v["images"], v["kernel"], 1)
		y, mean, variance := l.normalize(first, v["scale"], v["offset"])
		return map[string]*Node{"k": Add(v["k"], Const(g, int32(1))), "output": relu(g, y), "first": first, "mean": mean, "variance": variance}
	})
	result := func(name string) *Node { return results[st.index[name]] }
	register(results, func(_ *Node, gradients []*Node) []*Node {
		all := make([]*Node, len(st.names))
		for name, d := range l.stemGradient(initial, result, gradients[st.index["output"]]) {
			all[st.index[name]] = d
		}
		return all
	})
	output := result("output")
	resnet.UpdateAverages(scope, "stem", "", StopGradient(result("mean")), StopGradient(result("variance")), output.Shape().Size()/l.stage.Out, nil)
	return output
}

// stemGradient builds the backward loop of the stem and returns the gradients of its parameters by name.
func (l *loop) stemGradient(initial map[string]*Node, result func(name string) *Node, dh *Node) map[string]*Node {
	g, st := dh.Graph(), &state{}
	values := map[string]*Node{"k": Const(g, int32(0)), "images": initial["images"], "dh": dh, "scale": initial["scale"]}
	for _, name := range []string{"output", "first", "mean", "variance"} {
		values[name] = result(name)
	}
	for _, name := range []string{"kernel", "scale", "offset"} {
		values["d"+name] = Zeros(g, initial[name].Shape())
	}
	for _, name := range []string{"k", "images", "dh", "scale", "output", "first", "mean", "variance", "dkernel", "dscale", "doffset"} {
		st.add(name, values[name].Shape())
	}
	done := st.while(g, kernels.BackwardStem, values, func(v map[string]*Node) *Node {
		return GreaterOrEqual(v["k"], Const(v["k"].Graph(), int32(0)))
	}, func(g *Graph, v map[string]*Node) map[string]*Node {
		dy := positive(g, v["output"], v["dh"])
		dfirst, dscale, doffset := l.normalizeGradient(v["first"], v["scale"], v["mean"], v["variance"], dy)
		return map[string]*Node{"k": Sub(v["k"], Const(g, int32(1))),
			"dkernel": l.kernelGradient(v["images"], dfirst, 1), "dscale": dscale, "doffset": doffset}
	})
	gradients := make(map[string]*Node)
	for _, name := range []string{"kernel", "scale", "offset"} {
		gradients[name] = done[st.index["d"+name]]
	}
	return gradients
}
