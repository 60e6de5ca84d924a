package network

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/runs/recipes"
)

// BenchmarkStep times whole training steps, augmentation and optimizer included.
//
//	go test -run '^$' -bench Step ./toolkit/network
func BenchmarkStep(b *testing.B) {
	engine := backendtest.Open(b)
	for _, c := range []struct {
		augment recipes.Augment
		size    int
	}{{"none", 32}, {"shift", 32}, {"none", 64}, {"crop", 64}} {
		b.Run(fmt.Sprintf("%s at %d pixels", c.augment, c.size), func(b *testing.B) {
			recipe, err := recipes.Preset("shapes")
			require.NoError(b, err)
			recipe.TrainImages, recipe.BatchSize, recipe.DeathRate, recipe.Depth, recipe.Augment = 1024, 128, 0, 20, c.augment
			recipe.ImageSize = c.size
			net, err := Open(engine, recipe, "")
			require.NoError(b, err)
			batches := net.Batches()
			takeStep(b, net.Model, batches.At(0))
			takeStep(b, net.Model, batches.At(1))
			before, i := cpuTime(), int64(2)
			for b.Loop() {
				takeStep(b, net.Model, batches.At(i))
				i++
			}
			b.ReportMetric(float64((cpuTime()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// cpuTime is the time that the process has used on all cores; other programs disturb it less than wall time.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
