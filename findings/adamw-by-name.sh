#!/usr/bin/env bash
# GoMLX v0.28.4: the optimizer "adamw" decays no weights.
#
# optimizer.KnownOptimizers gives "adamw" a weight decay of 0.004, and then calls
# FromScope, which replaces it by the hyperparameter adam_weight_decay, 0 unless
# somebody set it. The result is Adam. optimizer.FromScope also takes "adamw" when
# no optimizer is named.
#
# Instead: set adam_weight_decay, or use optimizer.Adam().WeightDecay(...).Done().
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// weight is a weight of 1 after ten steps whose gradient is 0: only decay moves it.
func weight(make func(scope *model.Scope) optimizer.Interface) float32 {
	store := model.NewStore()
	store.SetParam(optimizer.ParamLearningRate, 0.1)
	adamw := make(store.RootScope())
	step := model.MustNewExec(compute.MustNew(), store, func(scope *model.Scope, x *Node) *Node {
		g := x.Graph()
		store.SetTraining(g, true)
		w := scope.VariableWithValue("w", float32(1)).NodeValue(g)
		adamw.UpdateGraph(scope, g, Mul(w, x))
		return w
	})
	for range 10 {
		step.MustCall(float32(0))
	}
	return store.GetVariable("/w").MustValue().Value().(float32)
}

func main() {
	fmt.Printf("adamw by its name: %.5f\n", weight(func(scope *model.Scope) optimizer.Interface {
		return optimizer.ByName(scope, "adamw")
	}))
	fmt.Printf("Adam().WeightDecay(0.004): %.5f\n", weight(func(*model.Scope) optimizer.Interface {
		return optimizer.Adam().WeightDecay(0.004).Done()
	}))
}
GO
export GOMLX_BACKEND=go
seen=$(./program)
verdict "A weight of 1 whose gradient is 0, after ten steps at the rate 0.1: (1 - 0.1 * 0.004)^10
adamw by its name: 0.99601
Adam().WeightDecay(0.004): 0.99601" \
	"adamw by its name: 1.00000
Adam().WeightDecay(0.004): 0.99601" "$seen"
