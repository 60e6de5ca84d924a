#!/usr/bin/env bash
# GoMLX v0.28.4: layers.DropPath scales neither in training nor in evaluation, so the
# means of the two differ. layers.Dropout, in the same package, does scale.
#
# With a drop probability of 0.5 the branches of a residual network are half as
# large on average in training as in evaluation. The paper on stochastic depth
# multiplies by the survival probability in evaluation, and others divide by it in
# training. Here every block gets different activations in evaluation from those
# that it was trained on.
#
# Instead: divide the result by the survival probability in training.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
)

func main() {
	ones := make([]float32, 100_000)
	for i := range ones {
		ones[i] = 1
	}
	mean := func(training bool, layer func(scope *model.Scope, x, rate *Node) *Node) any {
		store := model.NewStore()
		store.SetRNGStateFromSeed(1)
		return model.MustCallOnce(compute.MustNew(), store, func(scope *model.Scope, x *Node) *Node {
			store.SetTraining(x.Graph(), training)
			return ReduceAllMean(layer(scope, x, Scalar(x.Graph(), x.DType(), 0.5)))
		}, ones).Value()
	}
	fmt.Printf("DropPath: %.1f in training, %.1f in evaluation\n", mean(true, layers.DropPath), mean(false, layers.DropPath))
	fmt.Printf("Dropout:  %.1f in training, %.1f in evaluation\n", mean(true, layers.Dropout), mean(false, layers.Dropout))
}
GO
export GOMLX_BACKEND=go
seen=$(./program)
verdict "Means of 100,000 ones, dropped with probability 0.5
DropPath: 1.0 in training, 1.0 in evaluation (or 0.5 in both)
Dropout:  1.0 in training, 1.0 in evaluation" \
	"DropPath: 0.5 in training, 1.0 in evaluation
Dropout:  1.0 in training, 1.0 in evaluation" "$seen"
