#!/usr/bin/env bash
# GoMLX v0.28.4: a loop in the body of a loop is refused.
#
# While takes closures for its condition and its body. NewClosure makes each of them
# a closure of the main function, whatever function is being built, so inside the body
# of another loop they have the wrong parent, and the backend refuses them.
#
# Instead: one loop whose state counts for both, or, where it is only about a part with
# a name, NewFunction and Call, which work anywhere.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// repeat returns x after that many turns of body.
func repeat(x *Node, turns int32, body func(x *Node) *Node) *Node {
	g := x.Graph()
	parameters := func(g *Graph) (k, x *Node) {
		return Parameter(g, "k", shapes.Make(dtypes.Int32)), Parameter(g, "x", shapes.Make(dtypes.Float32))
	}
	more := NewClosure(g, func(g *Graph) []*Node {
		k, _ := parameters(g)
		return []*Node{LessThan(k, Const(g, turns))}
	})
	turn := NewClosure(g, func(g *Graph) []*Node {
		k, x := parameters(g)
		return []*Node{Add(k, Const(g, int32(1))), body(x)}
	})
	return While(more, turn, Const(g, int32(0)), x)[1]
}

func main() {
	addOne := func(x *Node) *Node { return Add(x, Const(x.Graph(), float32(1))) }
	try := func(name string, f func(x *Node) *Node) {
		out, err := CallOnce(compute.MustNew(), f, float32(0))
		switch {
		case err == nil:
			fmt.Printf("%s: %v\n", name, out.Value())
		case strings.Contains(err.Error(), "must be a closure of the current function"):
			fmt.Printf("%s: refused, ... must be a closure of the current function\n", name)
		default:
			fmt.Printf("%s: %v\n", name, err)
		}
	}
	try("one loop of 3", func(x *Node) *Node { return repeat(x, 3, addOne) })
	try("a loop of 2 in a loop of 3", func(x *Node) *Node {
		return repeat(x, 3, func(x *Node) *Node { return repeat(x, 2, addOne) })
	})
}
GO
export GOMLX_BACKEND=go
seen=$(./program)
verdict "Ones added up in a loop, and in a loop within a loop:
one loop of 3: 3
a loop of 2 in a loop of 3: 6" \
	"one loop of 3: 3
a loop of 2 in a loop of 3: refused, ... must be a closure of the current function" "$seen"
