#!/usr/bin/env bash
# GoMLX v0.28.4: where the maximum occurs several times, ReduceMax gives each of
# these values the whole gradient. JAX shares it between them.
#
# So with n equal maxima the gradients add up to n times the right sum: global max
# pooling after a ReLU, where a channel is 0 everywhere, multiplies the gradient by
# the number of pixels. MaxPool over the same values gives it to one of them.
#
# Instead: MaxPool with a window of the whole image, or divide by the number of ties.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/go-xla@v0.4.5 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
)

func main() {
	gradient := func(max func(x *Node) *Node) any {
		return MustExecOnce(compute.MustNew(), func(x *Node) *Node {
			return Gradient(ReduceAllSum(max(x)), x)[0]
		}, []float32{2, 5, 5, 1, 5}).Value()
	}
	fmt.Println("ReduceMax:", gradient(func(x *Node) *Node { return ReduceMax(x, 0) }))
	fmt.Println("MaxPool:", gradient(func(x *Node) *Node {
		return MaxPool(Reshape(x, 1, 5, 1)).Window(5).Done()
	}))
}
GO
xla_plugin
python_packages jax==0.10.2
seen=$(./program)
jax=$(JAX_PLATFORMS=cpu venv/bin/python -c '
import jax, jax.numpy as jnp
print("jax.numpy.max:", *(f"{g:.2f}" for g in jax.grad(jnp.max)(jnp.array([2., 5, 5, 1, 5]))))')
verdict "Gradients of the maximum of 2, 5, 5, 1, 5, which add up to 1
jax.numpy.max: 0.00 0.33 0.33 0.00 0.33
ReduceMax: the same, or all for one
MaxPool: the same, or all for one" \
	"jax.numpy.max: 0.00 0.33 0.33 0.00 0.33
ReduceMax: [0 1 1 0 1]
MaxPool: [0 1 0 0 0]" "$jax
$seen"
