package residual

import (
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// insteadKey is for the set of the nodes that Instead made, which their graph holds.
type insteadKey struct{}

func init() {
	ofWhere := graph.VJPRegistration[graph.NodeTypeWhere]
	graph.VJPRegistration[graph.NodeTypeWhere] = func(node *graph.Node, outputs []*graph.Node, shape shapes.Shape) []*graph.Node {
		if instead, _ := node.Graph().State(insteadKey{}).(map[*graph.Node]bool); instead[node] {
			return []*graph.Node{nil, nil, outputs[0]}
		}
		return ofWhere(node, outputs, shape)
	}
}

// Instead returns value, which is equal to y and has y's shape, with the gradient of y. XLA then does not compute y.
func Instead(y, value *graph.Node) *graph.Node {
	g := y.Graph()
	node := graph.Where(graph.Const(g, true), value, y)
	instead, _ := g.State(insteadKey{}).(map[*graph.Node]bool)
	if instead == nil {
		instead = make(map[*graph.Node]bool)
		g.AttachState(insteadKey{}, instead)
	}
	instead[node] = true
	return node
}
