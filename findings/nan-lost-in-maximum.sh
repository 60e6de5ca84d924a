#!/usr/bin/env bash
# XLA's plugin for the CPU, xla-cpu-pjrt 0.0.1: the maximum of values that include
# a NaN is a number.
#
# StableHLO's specification says that `maximum` gives NaN then, and JAX, with the same
# compiler, does so. In the plugin xla_cpu_enable_fast_min_max is on by default, and
# GoMLX leaves it on: when a network breaks, max pooling or a maximum over logits
# hides it, and a check of the loss for NaN finds nothing.
#
# Instead: XLA_FLAGS=--xla_cpu_enable_fast_min_max=false.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/go-xla@v0.4.5 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
)

func main() {
	values := make([]float32, 64)
	for i := range values {
		values[i] = float32(i % 10)
	}
	values[20] = float32(math.NaN())
	show := func(name string, f func(x *Node) *Node) {
		fmt.Printf(" %s %v", name, MustExecOnce(compute.MustNew(), f, values).Value())
	}
	show("ReduceMax", func(x *Node) *Node { return ReduceMax(x, 0) })
	show("ReduceMin", func(x *Node) *Node { return ReduceMin(x, 0) })
	show("MaxPool", func(x *Node) *Node { return Reshape(MaxPool(Reshape(x, 1, 64, 1)).Window(64).Done()) })
	fmt.Println()
}
GO
xla_plugin
python_packages jax==0.10.2
seen=$(./program)
flag=$(XLA_FLAGS=--xla_cpu_enable_fast_min_max=false ./program)
jax=$(JAX_PLATFORMS=cpu venv/bin/python -c '
import jax.numpy as jnp
x = (jnp.arange(64) % 10).astype(jnp.float32).at[20].set(jnp.nan)
print("JAX: max", x.max(), "min", x.min())')
verdict "Of 64 values from 0 to 9 and one NaN
JAX: max nan min nan
GoMLX: ReduceMax NaN ReduceMin NaN MaxPool NaN" \
	"JAX: max nan min nan
GoMLX: ReduceMax 9 ReduceMin 0 MaxPool 9
with the flag: ReduceMax NaN ReduceMin NaN MaxPool NaN" "$jax
GoMLX:$seen
with the flag:$flag"
