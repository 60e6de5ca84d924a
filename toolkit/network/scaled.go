package network

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
)

// Scaled returns a form that multiplies the branches by these scales [L], in training and at test, whatever the network itself
// would multiply them by. It builds one graph.
func Scaled(form resnet.Form, scales *Node) resnet.Form { return &scaled{Form: form, scales: scales} }

type scaled struct {
	resnet.Form
	scales *Node
	first  int // of the next stack's blocks
}

// next returns the scales of a stack's blocks; the stacks come in their order.
func (f *scaled) next(s residual.Stack) *Node {
	f.first += s.Count
	return Slice(f.scales, AxisRange(f.first-s.Count, f.first))
}

// Train implements residual.Form.
func (f *scaled) Train(scope *model.Scope, s residual.Stack, h, gates, _ *Node) *Node {
	return f.Form.Train(scope, s, h, gates, f.next(s))
}

// Test implements residual.Form.
func (f *scaled) Test(scope *model.Scope, s residual.Stack, h, _ *Node) *Node {
	return f.Form.Test(scope, s, h, f.next(s))
}
