#!/usr/bin/env bash
# GoMLX v0.28.4: layers.DropBlock takes the second axis for the channels, where its
# documentation says "The default is images.ChannelsLast".
#
# The zero value of its setting is ChannelsFirst, and nothing sets the other. With
# images of [batch, height, width, channels] it drops blocks of width and channels
# in all rows at once, instead of squares of pixels in all channels.
#
# Instead: always call ChannelsAxis(images.ChannelsLast).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/go-xla@v0.4.5 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	_ "github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors/images"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
)

func main() {
	dropped := func(name string, build func(b *layers.DropBlockConfig) *layers.DropBlockConfig) {
		store := model.NewStore()
		store.SetRNGStateFromSeed(1)
		counts := model.MustCallOnceN(compute.MustNew(), store, func(scope *model.Scope, g *Graph) []*Node {
			store.SetTraining(g, true)
			x := Ones(g, shapes.Make(dtypes.Float32, 100, 16, 16, 4))
			y := build(layers.DropBlock(scope, x).WithDropoutProbability(0.2)).Done()
			one, zero := ScalarOne(g, dtypes.Float32), ScalarZero(g, dtypes.Float32)
			split := func(mean *Node) *Node { // how many means over an axis are of zeros and ones
				return ReduceAllSum(ConvertDType(LogicalAnd(GreaterThan(mean, zero), LessThan(mean, one)), dtypes.Int32))
			}
			return []*Node{split(ReduceMean(y, 3)), split(ReduceMean(y, 1))}
		})
		channels, rows := counts[0].Value().(int32), counts[1].Value().(int32)
		fmt.Printf("%s: pixels dropped in some channels only: %t; columns dropped in some rows only: %t\n", name, channels > 0, rows > 0)
	}
	dropped("default", func(b *layers.DropBlockConfig) *layers.DropBlockConfig { return b })
	dropped("ChannelsLast", func(b *layers.DropBlockConfig) *layers.DropBlockConfig { return b.ChannelsAxis(images.ChannelsLast) })
}
GO
xla_plugin
seen=$(./program)
verdict "Images of [100, 16, 16, 4]
default: pixels dropped in some channels only: false; columns dropped in some rows only: true
ChannelsLast: pixels dropped in some channels only: false; columns dropped in some rows only: true" \
	"default: pixels dropped in some channels only: true; columns dropped in some rows only: false
ChannelsLast: pixels dropped in some channels only: false; columns dropped in some rows only: true" "$seen"
