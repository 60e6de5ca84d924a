package optimizer_test

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/optimizer"
)

// Three steps on the loss (a*w)^2/2, whose gradient is a^2 w, follow the rule written out.
func TestSGDByHand(t *testing.T) {
	b := backendtest.Open(t)
	const a, rate, momentum, decay = 2.0, 0.1, 0.9, 0.01
	store := model.NewStore()
	v, err := store.CreateVariable("/w", tensors.FromValue([]float64{1, -3}))
	require.NoError(t, err)
	var input *Node
	sgd := &optimizer.Optimizer{Rule: optimizer.SGD{Momentum: momentum}, WeightDecay: decay,
		// The second weight is frozen in steps where the input is negative.
		Mask: func(_ *model.Variable, g *Graph) *Node {
			x := input
			return Stack([]*Node{OnesLike(x), ConvertDType(GreaterThan(x, ZerosLike(x)), x.DType())}, 0)
		}}
	exec := model.MustNewExec(b, store, func(scope *model.Scope, x *Node) *Node {
		input = x
		w := v.NodeValue(x.Graph())
		loss := MulScalar(ReduceAllSum(Square(MulScalar(w, a))), 0.5)
		sgd.UpdateGraph(scope, x.Graph(), loss)
		return loss
	})
	rateVariable := optimizer.LearningRate(store.RootScope(), v)
	require.NoError(t, rateVariable.SetValue(tensors.FromScalar(rate)))
	w, velocity := []float64{1, -3}, []float64{0, 0}
	for step, x := range []float64{1, -1, 1} {
		exec.MustCall(x)
		for i := range w {
			if i == 1 && x < 0 {
				continue
			}
			g := a*a*w[i] + decay*w[i]
			velocity[i] = momentum*velocity[i] + g
			w[i] -= rate * (g + momentum*velocity[i])
		}
		value, err := v.Value()
		require.NoError(t, err)
		require.InDeltaSlice(t, w, tensors.MustCopyFlatData[float64](value), 1e-12, "step %d", step)
	}
}

func TestSchedule(t *testing.T) {
	cifar := optimizer.Schedule{Rate: 0.1, Drops: []int{250, 375}}
	deep := optimizer.Schedule{Rate: 0.1, Drops: []int{150, 225}, WarmupEpochs: 10, WarmupRate: 0.01}
	for _, c := range []struct {
		schedule optimizer.Schedule
		epoch    int
		want     float64
	}{
		{cifar, 0, 0.1}, {cifar, 249, 0.1}, {cifar, 250, 0.01}, {cifar, 374, 0.01}, {cifar, 375, 0.001}, {cifar, 499, 0.001},
		{deep, 0, 0.01}, {deep, 9, 0.01}, {deep, 10, 0.1}, {deep, 149, 0.1}, {deep, 150, 0.01}, {deep, 225, 0.001},
	} {
		require.InDelta(t, c.want, c.schedule.At(3*int64(c.epoch)+2, 3), 1e-15, "epoch %d", c.epoch)
	}
	// Behind one epoch of two steps a cosine has eight: the rates of PyTorch's SequentialLR([ConstantLR(0.1, 2),
	// CosineAnnealingLR(8)], [2]) from 1. The step after the last would have the rate 0.
	cosine := optimizer.Schedule{Rate: 1, Drops: []int{2}, WarmupEpochs: 1, WarmupRate: 0.1, Cosine: 5}
	for step, want := range []float64{0.1, 0.1, 1, 0.9619397662556434, 0.8535533905932737, 0.6913417161825448, 0.5,
		0.3086582838174551, 0.1464466094067262, 0.0380602337443566, 0} {
		require.InDelta(t, want, cosine.At(int64(step), 2), 1e-15, "step %d", step)
	}
	// PyTorch's SequentialLR([LinearLR(0.25, total_iters=4), MultiStepLR([2])], [4]) from 0.4.
	linear := optimizer.Schedule{Rate: 0.4, Drops: []int{3}, WarmupEpochs: 2, WarmupRate: 0.1, WarmupLinear: true}
	for step, want := range []float64{0.1, 0.175, 0.25, 0.325, 0.4, 0.4, 0.04} {
		require.InDelta(t, want, linear.At(int64(step), 2), 1e-15, "step %d", step)
	}
	// A schedule of the program's own begins after the warm-up, and ends with the training.
	own := optimizer.Schedule{Rate: 2, WarmupEpochs: 1, WarmupRate: 0.1, Own: func(at float64) float64 { return 1 - at }, Epochs: 3}
	for step, want := range []float64{0.1, 0.1, 2, 1.5, 1, 0.5} {
		require.Equal(t, want, own.At(int64(step), 2), "step %d", step)
	}
}
