#!/usr/bin/env bash
# GoMLX v0.28.4: the gradient of ReLU at exactly 0 is 1. In JAX it is 0.
#
# activation.Relu(x) is Max(x, 0), and the gradient of Max goes to its first
# operand where both are equal. Exact zeros are not rare: in channels padded with
# zeros, batch normalisation returns its offset, which starts at 0. These offsets
# then have gradients and train, while in JAX they do not move, so a network differs
# from the same one in another framework from the first step on.
#
# Instead: write Max(ZerosLike(x), x), whose gradient at 0 is 0.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/go-xla@v0.4.5 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
)

func main() {
	gradient := func(relu func(x *Node) *Node) any {
		return MustExecOnce(compute.MustNew(), func(x *Node) *Node {
			return Gradient(ReduceAllSum(relu(x)), x)[0]
		}, []float32{-1, 0, 1}).Value()
	}
	fmt.Println("activation.Relu(x):", gradient(activation.Relu))
	fmt.Println("Max(ZerosLike(x), x):", gradient(func(x *Node) *Node { return Max(ZerosLike(x), x) }))

	// Batch normalisation of a channel of zeros, its offset 0: the offset's gradient.
	offset := MustExecOnce(compute.MustNew(), func(x, scale, offset *Node) *Node {
		y, _, _ := InternalBatchNormForTraining(x, scale, offset, 1e-5, -1)
		return Gradient(ReduceAllSum(activation.Relu(y)), offset)[0]
	}, [][]float32{{0}, {0}, {0}, {0}}, []float32{1}, []float32{0}).Value()
	fmt.Println("offset of a channel of four zeros:", offset)
}
GO
xla_plugin
python_packages jax==0.10.2
seen=$(./program)
jax=$(JAX_PLATFORMS=cpu venv/bin/python -c '
import jax, jax.numpy as jnp
print("jax.nn.relu(x):", jax.grad(lambda x: jax.nn.relu(x).sum())(jnp.array([-1., 0, 1])))')
verdict "Gradients at -1, 0 and 1
jax.nn.relu(x): [0. 0. 1.]
activation.Relu(x): [0 0 1]
Max(ZerosLike(x), x): [0 0 1]
offset of a channel of four zeros: [0]" \
	"jax.nn.relu(x): [0. 0. 1.]
activation.Relu(x): [0 1 1]
Max(ZerosLike(x), x): [0 0 1]
offset of a channel of four zeros: [4]" "$jax
$seen"
