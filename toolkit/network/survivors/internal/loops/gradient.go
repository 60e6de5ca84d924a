package loops

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// GoMLX has no gradient for While, nor for calls of functions. It looks one up by the node's type, so one function is
// registered for all of them, which asks the graph for the gradient that [Register] has left there for the node.

// gradient computes the gradients of a loop's initial values from those of its last values, nil for those without one; or
// those of a function's arguments from those of its results.
type gradient func(outputs []*Node) []*Node

type (
	gradientsKey struct{}
	functionsKey struct{}
)

func init() {
	registered := func(node *Node, outputs []*Node, _ shapes.Shape) []*Node {
		gradients, _ := node.Graph().State(gradientsKey{}).(map[*Node]gradient)
		f := gradients[node]
		if f == nil {
			panic("survivors: a While or a function that this package did not build has no gradient")
		}
		return f(outputs)
	}
	VJPRegistration[NodeTypeWhile], VJPRegistration[NodeTypeCall] = registered, registered
}

// WithGradient is f of the given nodes, with another gradient than GoMLX's: gradient returns those of the nodes from that of the
// result, nil for a node without one.
func WithGradient(f func(of []*Node) *Node, gradient func(dresult *Node) []*Node, of ...*Node) *Node {
	g := of[0].Graph()
	functions, _ := g.State(functionsKey{}).(*int) // a function needs a name of its own
	if functions == nil {
		functions = new(int)
		g.AttachState(functionsKey{}, functions)
	}
	*functions++
	defer emptyCaches(g)()
	results := NewFunction(g, fmt.Sprint("function_", *functions), func(g *Graph) []*Node {
		parameters := make([]*Node, len(of))
		for i, x := range of {
			parameters[i] = Parameter(g, fmt.Sprint("of_", i), x.Shape())
		}
		return []*Node{f(parameters)}
	}).Call(of...)
	Register(results, func(outputs []*Node) []*Node { return gradient(outputs[0]) })
	return results[0]
}

// Register leaves the gradient of the loop or function that returned results with the graph.
func Register(results []*Node, f func(outputs []*Node) []*Node) {
	g, node := results[0].Graph(), results[0]
	if len(results) > 1 {
		node = node.Inputs()[0]
	}
	gradients, _ := g.State(gradientsKey{}).(map[*Node]gradient)
	if gradients == nil {
		gradients = make(map[*Node]gradient)
		g.AttachState(gradientsKey{}, gradients)
	}
	gradients[node] = f
}
