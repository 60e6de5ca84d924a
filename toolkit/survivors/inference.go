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
	g := h.Graph()
	l, st, averages := newLoop(g, n, s, h.Shape().Dimensions[0]), &state{}, resnet.Averages(scope, g, s)
	initial := map[string]*Node{"k": Const(g, int32(0)), "x": h, "h": n.Shortcut(s, h),
		"scales": n.TestScales(scope, g, s)}
	st.add("k", shapes.Make(int32Type))
	if s.Transition() {
		st.add("x", l.input)
	}
	st.add("h", l.output)
	st.add("scales", initial["scales"].Shape())
	for i, p := range packed(resnet.Parameters(scope, g, s)) {
		initial[parameterNames[i]] = p
		st.add(parameterNames[i], p.Shape())
	}
	initial["statistics"] = Stack(averages[:], 1)
	st.add("statistics", initial["statistics"].Shape())
	done := st.while(g, kernels.TestBlock, initial, func(v map[string]*Node) *Node {
		return LessThan(v["k"], Const(v["k"].Graph(), int32(s.Count)))
	}, func(g *Graph, v map[string]*Node) map[string]*Node {
		affine, averages, x := parts(row(v["affine"], v["k"])), parts(row(v["statistics"], v["k"])), v["h"]
		if s.Transition() {
			x = v["x"]
		}
		f := resnet.Convolve3x3(x, row(v["kernel1"], v["k"]), s.Stride)
		f = relu(g, resnet.Normalize(f, affine[0], affine[1], averages[0], averages[1]))
		f = resnet.Convolve3x3(f, row(v["kernel2"], v["k"]), 1)
		f = resnet.Normalize(f, affine[2], affine[3], averages[2], averages[3])
		f = Mul(f, ConvertDType(row(v["scales"], v["k"]), f.DType()))
		return map[string]*Node{"k": Add(v["k"], Const(g, int32(1))), "h": relu(g, Add(f, v["h"]))}
	})
	return done[st.index["h"]]
}
