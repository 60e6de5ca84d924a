#!/usr/bin/env bash
# GoMLX v0.28.4, its backend in plain Go: values captured by branches of If have gradient 0.
#
# The documentation of If says that branches "can capture values from the parent
# scope", and its example does. The result is right, but captured values are not inputs
# of the node, so Gradient finds no path from the result to them and returns zeros,
# without an error. A weight used in a branch never trains.
#
# Instead: Where(condition, ...) of both results. (XLA refuses captured values.)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
)

func main() {
	show := func(name string, choose func(condition, yes, no *Node) *Node) {
		results := MustExecOnceN(compute.MustNew(), func(x, w *Node) []*Node {
			absolute := choose(IsPositive(x), x, Neg(x))
			product := choose(IsPositive(x), Mul(w, x), x)
			return []*Node{absolute, Gradient(absolute, x)[0], product, Gradient(product, w)[0]}
		}, float32(3), float32(2))
		fmt.Printf("%s: |x| = %v, its gradient by x = %v\n", name, results[0].Value(), results[1].Value())
		fmt.Printf("%s: wx = %v, its gradient by w = %v\n", name, results[2].Value(), results[3].Value())
	}
	show("Where", Where)
	show("If", func(condition, yes, no *Node) *Node {
		branch := func(result *Node) *Function {
			return NewClosure(result.Graph(), func(*Graph) []*Node { return []*Node{result} })
		}
		return If(condition, branch(yes), branch(no))[0]
	})
}
GO
export GOMLX_BACKEND=go
seen=$(./program)
verdict "With x = 3 and w = 2
Where: |x| = 3, its gradient by x = 1
Where: wx = 6, its gradient by w = 3
If: the same, or an error that it has no gradient" \
	"Where: |x| = 3, its gradient by x = 1
Where: wx = 6, its gradient by w = 3
If: |x| = 3, its gradient by x = 0
If: wx = 6, its gradient by w = 0" "$seen"
