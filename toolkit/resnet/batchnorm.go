package resnet

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Normalize is batch normalisation by a given mean and variance,
//
//	y = scale (x - mean)/sqrt(variance + epsilon) + offset,
//
// of x [batch, height, width, channels]; the others are [channels]. It is computed in the parameters' type, and
// y has the type of x. It may be used in closures.
func Normalize(x, scale, offset, mean, variance *Node) *Node {
	factor := Div(scale, Deviation(variance))
	y := Add(Mul(ConvertDType(x, scale.DType()), PerChannel(factor)), PerChannel(Sub(offset, Mul(mean, factor))))
	return ConvertDType(y, x.DType())
}

// Deviation is sqrt(variance + epsilon), of any shape. It may be used in closures.
func Deviation(variance *Node) *Node {
	return Sqrt(Add(variance, ConstAsDType(variance.Graph(), variance.DType(), Epsilon)))
}

// PerChannel makes [1, 1, 1, channels] of [channels].
func PerChannel(v *Node) *Node { return Reshape(v, 1, 1, 1, v.Shape().Size()) }

// batchNormTrain normalises x [batch, height, width, channels] by its own mean and variance [channels] over batch,
// height and width, which it returns too, in the parameters' type; the variance is divided by the count.
func batchNormTrain(x, scale, offset *Node) (y, mean, variance *Node) {
	wide := ConvertDType(x, scale.DType())
	mean = ReduceMean(wide, 0, 1, 2)
	variance = ReduceMean(Square(Sub(wide, PerChannel(mean))), 0, 1, 2)
	return Normalize(x, scale, offset, mean, variance), mean, variance
}

// UpdateAverages moves the running averages scope/mean<suffix> and scope/variance<suffix> a step
// towards the batch's statistics. mean and variance have the variables' shape, [channels] or
// [Count, channels]; count is the number of values behind each; gates [Count], or nil, says which
// rows were computed: the averages of a closed block do not move. As in Torch the running variance is
// the unbiased one.
func UpdateAverages(scope *model.Scope, name, suffix string, mean, variance *Node, count int, gates *Node) {
	g := mean.Graph()
	update := func(kind string, batch *Node) {
		v := Variable(scope, name+"/"+kind+suffix)
		old := v.NodeValue(g)
		step := MulScalar(Sub(batch, old), Momentum)
		if gates != nil {
			step = Mul(step, Reshape(ConvertDType(gates, old.DType()), old.Shape().Dimensions[0], 1))
		}
		v.SetNodeValue(StopGradient(Add(old, step)))
	}
	update("mean", mean)
	update("variance", MulScalar(variance, float64(count)/float64(count-1)))
}
