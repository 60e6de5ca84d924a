package loops

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// GoMLX has no gradient for While. It looks one up by the node's type, so one function is registered for all loops, which
// asks the graph for the gradient that [Register] has left there for the loop.

// gradient computes the gradients of a loop's initial values from those of its last values, nil for those without one.
type gradient func(outputs []*Node) []*Node

type (
	gradientsKey struct{}
	insteadKey   struct{}
)

func init() {
	VJPRegistration[NodeTypeWhile] = func(node *Node, outputs []*Node, _ shapes.Shape) []*Node {
		gradients, _ := node.Graph().State(gradientsKey{}).(map[*Node]gradient)
		f := gradients[node]
		if f == nil {
			panic("survivors: a While that this package did not build has no gradient")
		}
		return f(outputs)
	}
	ofWhere := VJPRegistration[NodeTypeWhere]
	VJPRegistration[NodeTypeWhere] = func(node *Node, outputs []*Node, shape shapes.Shape) []*Node {
		if instead, _ := node.Graph().State(insteadKey{}).(map[*Node]bool); instead[node] {
			return []*Node{nil, nil, outputs[0]}
		}
		return ofWhere(node, outputs, shape)
	}
}

// Instead returns value, which is equal to y, with the gradient of y. XLA then does not compute y.
func Instead(y, value *Node) *Node {
	g := y.Graph()
	node := Where(Const(g, true), value, y)
	instead, _ := g.State(insteadKey{}).(map[*Node]bool)
	if instead == nil {
		instead = make(map[*Node]bool)
		g.AttachState(insteadKey{}, instead)
	}
	instead[node] = true
	return node
}

// Register leaves the gradient of the loop that returned results with the graph.
func Register(results []*Node, f func(outputs []*Node) []*Node) {
	g, node := results[0].Graph(), results[0].Inputs()[0]
	gradients, _ := g.State(gradientsKey{}).(map[*Node]gradient)
	if gradients == nil {
		gradients = make(map[*Node]gradient)
		g.AttachState(gradientsKey{}, gradients)
	}
	gradients[node] = f
}
