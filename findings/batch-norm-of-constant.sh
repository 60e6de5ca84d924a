#!/usr/bin/env bash
# XLA's plugin for the CPU, xla-cpu-pjrt 0.0.1: batch normalisation gives NaN for a
# channel that is nearly constant, without any large number in it.
#
# XLA's operation computes the variance as mean(x^2) - mean(x)^2. Where the variance
# is small, float32 rounds that to a number that may lie below -epsilon, and the root
# of variance + epsilon is NaN. Such channels occur: think of a dark image's border.
#
# Instead, in GoMLX v0.28.4: norm.BatchNorm(...).UseBackendInference(false), which
# despite its name applies to training too, and takes the mean of (x - mean)^2.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/go-xla@v0.4.5 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/norm"
	"github.com/gomlx/gomlx/ml/model"
)

func main() {
	const batch, channels = 128, 200 // channel c is c/2 + 0.1, in every other image c/2 + 0.101
	x := make([][]float32, batch)
	for i := range x {
		x[i] = make([]float32, channels)
		for c := range x[i] {
			x[i][c] = float32(c)/2 + 0.1 + float32(i%2)/1000
		}
	}
	broken := func(name string, backend bool) {
		store := model.NewStore()
		y := model.MustCallOnce(compute.MustNew(), store, func(scope *model.Scope, x *Node) *Node {
			store.SetTraining(x.Graph(), true)
			return norm.BatchNorm(scope, x, -1).Epsilon(1e-5).UseBackendInference(backend).Done()
		}, x).Value().([][]float32)
		nans := 0
		for _, v := range y[0] {
			if v != v {
				nans++
			}
		}
		fmt.Fprintf(os.Stderr, "(%s: NaN in %d of %d channels)\n", name, nans, channels)
		fmt.Printf("%s: NaN in some channels: %t\n", name, nans > 0)
	}
	broken("XLA's operation", true)
	broken("UseBackendInference(false)", false)
}
GO
xla_plugin
seen=$(./program)
verdict "XLA's operation: NaN in some channels: false
UseBackendInference(false): NaN in some channels: false" \
	"XLA's operation: NaN in some channels: true
UseBackendInference(false): NaN in some channels: false" "$seen"
