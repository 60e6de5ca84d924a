#!/usr/bin/env bash
# go-xla v0.4.5: a program that sums both inside the body of a While and outside it
# is refused, although each of the two alone compiles.
#
# go-xla keeps one reduction function for each type and operation of a program,
# and it belongs to the place of its first use: the main function, or the body. The
# other place may not use it. The error is about a "reductionFn" that the program's
# author never wrote.
#
# Instead: inside a body, take sums as products with a vector of ones.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/go-xla@v0.4.5 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	_ "github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
)

func onesSum(x *Node) *Node { return Dot(x, x).Product() } // of a vector of ones

// sums adds the sum of x to itself three times in a loop, and once after it.
func sums(name string, inside, outside func(x *Node) *Node) {
	scalar, vector := shapes.Make(dtypes.Float32), shapes.Make(dtypes.Float32, 4)
	result, err := CallOnce(compute.MustNew(), func(x, zero, one, three *Node) *Node {
		g := x.Graph()
		state := func(g *Graph) (i, sum, x, one, three *Node) {
			return Parameter(g, "i", scalar), Parameter(g, "sum", scalar), Parameter(g, "x", vector),
				Parameter(g, "one", scalar), Parameter(g, "three", scalar)
		}
		again := NewClosure(g, func(g *Graph) []*Node {
			i, _, _, _, three := state(g)
			return []*Node{LessThan(i, three)}
		})
		body := NewClosure(g, func(g *Graph) []*Node {
			i, sum, x, one, three := state(g)
			return []*Node{Add(i, one), Add(sum, inside(x)), x, one, three}
		})
		return Add(While(again, body, zero, zero, x, one, three)[1], outside(x))
	}, []float32{1, 1, 1, 1}, float32(0), float32(1), float32(3))
	switch {
	case err == nil:
		fmt.Printf("%s: %v\n", name, result.Value())
	case strings.Contains(err.Error(), "is not a StableHLO closure of"):
		fmt.Printf("%s: refused, ... is not a StableHLO closure of ...\n", name)
	default:
		fmt.Printf("%s: %v\n", name, err)
	}
}

func main() {
	reduce := func(x *Node) *Node { return ReduceSum(x, 0) }
	sums("ReduceSum in the body", reduce, onesSum)
	sums("ReduceSum after the loop", onesSum, reduce)
	sums("both", reduce, reduce)
}
GO
xla_plugin
seen=$(./program)
verdict "Four ones, summed up three times in the loop and once after it
ReduceSum in the body: 16
ReduceSum after the loop: 16
both: 16" \
	"ReduceSum in the body: 16
ReduceSum after the loop: 16
both: refused, ... is not a StableHLO closure of ..." "$seen"
