package survivors

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/kernels"
	"stochdepth/toolkit/resnet"
)

// test runs all blocks of a stage, each scaled by its survival probability:
// H_l = ReLU(p_l f_l(H_{l-1}) + id(H_{l-1})) (Eq. 5). h [batch, side, side, in] becomes
// [batch, s.Side, s.Side, s.Out].
func test(n *resnet.Network, scope *model.Scope, s resnet.Stage, h *Node) *Node {
	g, l, st := h.Graph(), newLoop(n, s, h.Shape().Dimensions[0]), &state{}
	parameters, averages := resnet.Parameters(scope, g, s), resnet.Averages(scope, g, s)
	initial := map[string]*Node{"k": Const(g, int32(0)), "x": h, "h": n.Shortcut(s, h),
		"scales": n.TestScales(scope, g, s)}
	st.add("k", shapes.Make(int32Type))
	if s.Transition() {
		st.add("x", l.input)
	}
	st.add("h", l.output)
	st.add("scales", initial["scales"].Shape())
	for i, name := range parameterNames {
		initial[name] = parameters[i]
		st.add(name, parameters[i].Shape())
	}
	for i, name := range statisticNames {
		initial[name] = averages[i]
		st.add(name, averages[i].Shape())
	}
	done := st.while(g, kernels.TestBlock, initial, func(v map[string]*Node) *Node {
		return LessThan(v["k"], Const(v["k"].Graph(), int32(s.Count)))
	}, func(g *Graph, v map[string]*Node) map[string]*Node {
		p, x := l.blockParameters(v, v["k"]), v["h"]
		if s.Transition() {
			x = v["x"]
		}
		normalize := func(x *Node, scale, offset *Node, mean, variance string) *Node {
			return l.applyNormalization(x, scale, offset, row(v[mean], v["k"]), row(v[variance], v["k"]))
		}
		f := normalize(resnet.Convolve3x3(x, p[0], s.Stride), p[1], p[2], "mean1", "variance1")
		f = normalize(resnet.Convolve3x3(relu(g, f), p[3], 1), p[4], p[5], "mean2", "variance2")
		f = Mul(f, ConvertDType(row(v["scales"], v["k"]), f.DType()))
		return map[string]*Node{"k": Add(v["k"], Const(g, int32(1))), "h": relu(g, Add(f, v["h"]))}
	})
	return done[st.index["h"]]
}
