package survivors_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/backend/backendtest"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/optimizer"
	"stochdepth/toolkit/resnet"
)

// BenchmarkStep times forward and backward of one minibatch of 128 against the number of open blocks:
// the line of time against open blocks is straight.
//
//	go test -run '^$' -bench Step ./toolkit/survivors
func BenchmarkStep(b *testing.B) {
	engine := backendtest.Open(b)
	for _, layers := range []int{20, 110} {
		n := network(b, layers, dtypes.Float32)
		blocks := len(n.Survival)
		store := model.NewStore()
		require.NoError(b, n.Initialize(store, 7, resnet.ScaleOne))
		exec := model.MustNewExec(engine, store, func(scope *model.Scope, images, gates, labels *Node) []*Node {
			scope.Store().SetTraining(images.Graph(), true)
			mean := crossEntropy(forms["survivors"](n, scope, images, gates), labels)
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

// BenchmarkDepth shows that the compiled program does not grow with the depth: the time of the first
// call, compilation included, of a minibatch of 16 at 20, 110 and 1202 layers, the time of a step, and
// the most memory the process has held so far.
//
//	go test -run '^$' -bench Depth -benchtime 2x ./toolkit/survivors
func BenchmarkDepth(b *testing.B) {
	engine := backendtest.Open(b)
	for _, layers := range []int{20, 110, 1202} {
		b.Run(fmt.Sprint(layers), func(b *testing.B) {
			n := network(b, layers, dtypes.Float32)
			store := model.NewStore()
			require.NoError(b, n.Initialize(store, 7, resnet.ScaleOne))
			exec := model.MustNewExec(engine, store, func(scope *model.Scope, images, gates, labels *Node) *Node {
				scope.Store().SetTraining(images.Graph(), true)
				mean := crossEntropy(forms["survivors"](n, scope, images, gates), labels)
				(&optimizer.SGD{Momentum: 0.9, WeightDecay: 1e-4}).UpdateGraph(scope, images.Graph(), mean)
				return mean
			})
			images, labels := batch(n, 16)
			gates := gatesOf(n, n.Survival.Draw(depth.Rand(1, depth.GateDraws, 1)))
			step := func() { flat(exec.MustCall(images, gates, labels)[0]) }
			start := time.Now()
			step()
			first := time.Since(start)
			for b.Loop() {
				step()
			}
			b.ReportMetric(first.Seconds(), "first-call-s")
			b.ReportMetric(peakMemory(), "peak-MB")
		})
	}
}

// peakMemory is the most memory the process has held, in MB.
func peakMemory() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Maxrss) / 1024
}

// cpuTime is what the process has used on all cores, which other programs disturb less than wall time.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
