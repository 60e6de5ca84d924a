#!/usr/bin/env bash
# GoMLX v0.28.4: a cosine schedule created in a scope below the root does nothing.
#
# cosineschedule.New(scope, ...) writes the learning rate into
# "<scope>/optimizers/learning_rate", but counts its steps at an absolute path,
# and optimizers read "/optimizers/learning_rate". A model that works in
# scope.In("model") and calls the schedule there, as the documentation says "at
# the start of your model", trains at a constant rate. Nothing is reported, and
# the schedule's step counter goes up as it should.
#
# Instead: call it with the root scope, scope.Store().RootScope().
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/gomlx/gomlx/ml/train/optimizer/cosineschedule"
)

// rates returns how far each of four steps moves a weight whose gradient is 1.
func rates(where func(root *model.Scope) *model.Scope) (list []string) {
	store := model.NewStore()
	sgd := optimizer.StochasticGradientDescent().WithDecay(false).WithLearningRate(1)
	step := model.MustNewExec(compute.MustNew(), store, func(root *model.Scope, x *Node) *Node {
		g := x.Graph()
		store.SetTraining(g, true)
		scope := where(root)
		cosineschedule.New(scope, g, dtypes.Float32).PeriodSteps(4).LearningRate(1).Done()
		w := scope.VariableWithValue("w", float32(0)).NodeValue(g)
		sgd.UpdateGraph(root, g, Mul(w, x))
		return w
	})
	var before float32
	for range 4 {
		step.MustCall(float32(1))
		var now float32
		for v := range store.IterVariables() {
			if v.Name() == "w" {
				now = v.MustValue().Value().(float32)
			}
		}
		list = append(list, fmt.Sprintf("%.3f", before-now))
		before = now
	}
	return list
}

func main() {
	fmt.Println("in the root scope:", rates(func(root *model.Scope) *model.Scope { return root }))
	fmt.Println(`in scope.In("model"):`, rates(func(root *model.Scope) *model.Scope { return root.In("model") }))
}
GO
export GOMLX_BACKEND=go
seen=$(./program)
verdict 'Learning rates of four steps, (1 + cos(pi * step / 4)) / 2
in the root scope: [1.000 0.854 0.500 0.146]
in scope.In("model"): [1.000 0.854 0.500 0.146]' \
	'in the root scope: [1.000 0.854 0.500 0.146]
in scope.In("model"): [1.000 1.000 1.000 1.000]' "$seen"
