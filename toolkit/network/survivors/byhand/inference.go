package byhand

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/internal/loopname"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors"
	"stochdepth/toolkit/network/survivors/internal/loops"
)

// Test implements residual.Form: it computes all blocks of a stack, each scaled by its survival probability,
// H_l = ReLU(p_l f_l(H_{l-1}) + id(H_{l-1})) (Eq. 5). h [batch, Side*Stride, Side*Stride, In] becomes
// [batch, Side, Side, Out].
func (f Form) Test(scope *model.Scope, s residual.Stack, h, scales *Node) *Node {
	block, ok := known(s, h)
	if !ok {
		return survivors.Form{}.Test(scope, s, h, scales)
	}
	g := h.Graph()
	parameters := packed(scope, g, s)
	l := f.newLoop(block, s.Count, h, parameters[0].DType())
	initial := loops.Values{"k": Const(g, int32(0)), "x": h, "h": s.Shortcut(scope, h, false, nil), "scales": scales}
	for i, p := range parameters {
		initial[parameterNames[i]] = p
	}
	initial["statistics"] = stackOf(scope, g, s, statisticNames)
	names := []string{"k"}
	if l.transition() {
		names = append(names, "x")
	}
	names = append(append(names, "h", "scales"), parameterNames[:]...)
	st := initial.State(append(names, "statistics")...)
	done := st.While(g, loopname.TestBlock, initial, func(v loops.Values) *Node {
		return LessThan(v["k"], Const(v["k"].Graph(), int32(s.Count)))
	}, func(g *Graph, v loops.Values) loops.Values {
		affine, averages, x := parts(loops.Row(v["affine"], v["k"])), parts(loops.Row(v["statistics"], v["k"])), v["h"]
		if l.transition() {
			x = v["x"]
		}
		f := resnet.Convolution(nil, x, loops.Row(v["kernel1"], v["k"]), block.Stride)
		f = relu(resnet.Normalize(f, affine[0], affine[1], averages[0], averages[1]))
		f = resnet.Convolution(nil, f, loops.Row(v["kernel2"], v["k"]), 1)
		f = resnet.Normalize(f, affine[2], affine[3], averages[2], averages[3])
		f = Mul(f, ConvertDType(loops.Row(v["scales"], v["k"]), f.DType()))
		return loops.Values{"k": v.Next(), "h": relu(Add(f, v["h"]))}
	})
	return done[st.Index["h"]]
}
