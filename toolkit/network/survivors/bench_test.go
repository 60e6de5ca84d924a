package survivors_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors/byhand"
)

// BenchmarkStep times forward and backward of one minibatch of 128 against the number of open blocks:
// the line of time against open blocks is straight.
//
//	go test -run '^$' -bench Step ./toolkit/network/survivors
func BenchmarkStep(b *testing.B) {
	engine := backendtest.Open(b)
	for _, layers := range []int{20, 110} {
		n := network(b, layers, dtypes.Float32)
		blocks := len(n.Survival)
		store := model.NewStore()
		require.NoError(b, n.Initialize(store, 7))
		exec := model.MustNewExec(engine, store, func(scope *model.Scope, images, gates, labels *Node) []*Node {
			scope.Store().SetTraining(images.Graph(), true)
			mean := crossEntropy(n.ForwardIn(byhand.Form{GPU: onGPU(engine)}, scope, images, gates), labels)
			return append(scope.BuildTrainableVariablesGradientsGraph(mean), mean)
		})
		images, labels := batch(n, 128)
		for _, quarter := range []int{0, 1, 2, 3, 4} {
			gates := make(depth.Gates, blocks)
			for i := range gates {
				gates[i] = i%4 < quarter
			}
			b.Run(fmt.Sprintf("%d/open=%d", layers, gates.Open()), func(b *testing.B) {
				input := gatesOf(n, gates)
				exec.MustCall(images, input, labels)
				before := cpuTime()
				for b.Loop() {
					out := exec.MustCall(images, input, labels)
					flat(out[len(out)-1])
				}
				b.ReportMetric(float64((cpuTime()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// cpuTime is what the process has used on all cores, which other programs disturb less than wall time.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGates times a step of 20 layers with a minibatch of 128 at p_L = 0.5, where 6.5 of 9 blocks are expected to
// be open: gates per sample in the engine and in the textbook form, and gates per minibatch; with branches scaled at test
// and in training.
//
//	go test -run '^$' -bench Gates ./toolkit/network/survivors
func BenchmarkGates(b *testing.B) {
	const size = 128
	engine := backendtest.Open(b)
	form := byhand.Form{GPU: onGPU(engine)}
	for _, inverted := range []bool{false, true} {
		n := network(b, 20, dtypes.Float32)
		n.Inverted = inverted
		images, labels := batch(n, size)
		rng, drawn := depth.Rand(3, depth.GateDraws, 0), make(imageGates, size)
		for i := range drawn {
			drawn[i] = n.Survival.Draw(rng)
		}
		few := depth.AllOpen(len(n.Survival))
		few[3], few[7] = false, false
		for _, c := range []struct {
			name  string
			form  resnet.Form
			gates *tensors.Tensor
		}{
			{"engine, per sample", form, imageGatesOf(n, drawn)},
			{"engine, per minibatch, 7 open", form, gatesOf(n, few)},
			{"engine, per minibatch, all open", form, gatesOf(n, depth.AllOpen(len(few)))},
			{"textbook, per sample", resnet.Textbook{}, imageGatesOf(n, drawn)},
		} {
			run := step(b, engine, n, c.form)
			run(images, c.gates, labels)
			b.Run(fmt.Sprintf("%s, inverted %t", c.name, inverted), func(b *testing.B) {
				for b.Loop() {
					run(images, c.gates, labels)
				}
			})
		}
	}
}

// BenchmarkSubBatches times a step of each kind of block with a minibatch of 128 at p_L = 0.5: at constant depth, with gates per
// sample, per minibatch and of sub-batches.
//
//	STOCHDEPTH_KERNELS=off go test -run '^$' -bench SubBatches ./toolkit/network/survivors
func BenchmarkSubBatches(b *testing.B) {
	const size = 128
	engine := backendtest.Open(b)
	form := byhand.Form{GPU: onGPU(engine)}
	for _, c := range []struct {
		block  string
		layers int
	}{{depth.Basic, 20}, {depth.Preactivation, 20}, {depth.Bottleneck, 29}, {depth.Transformer, 9}} {
		n := networkOf(b, c.block, c.layers, dtypes.Float32)
		parts := networkOf(b, c.block, c.layers, dtypes.Float32)
		parts.SubBatches = true
		images, labels := batch(n, size)
		drawn, rng := make(imageGates, size), depth.Rand(3, depth.GateDraws, 0)
		for i := range drawn {
			drawn[i] = n.Survival.Draw(rng)
		}
		some := depth.AllOpen(9) // 7 of 9, where 6.5 are expected
		some[3], some[7] = false, false
		for _, c := range []struct {
			name  string
			n     *resnet.Network
			gates *tensors.Tensor
		}{
			{"constant depth", n, gatesOf(n, depth.AllOpen(9))},
			{"per minibatch, 7 of 9 open", n, gatesOf(n, some)},
			{"per sample", n, imageGatesOf(n, drawn)},
			{"sub-batches", parts, imageGatesOf(n, n.Survival.DrawImages(rng, size))},
		} {
			run := step(b, engine, c.n, form)
			run(images, c.gates, labels)
			b.Run(n.Block+", "+c.name, func(b *testing.B) {
				for b.Loop() {
					run(images, c.gates, labels)
				}
			})
		}
	}
}
