package resnet

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Convolve3x3 convolves x [batch, height, width, in] with a kernel [3, 3, in, out], zero padding of
// one pixel on each side, as Torch pads also when the stride is 2.
func Convolve3x3(x, kernel *Node, stride int) *Node {
	return Convolve(x, ConvertDType(kernel, x.DType())).PaddingPerDim([][2]int{{1, 1}, {1, 1}}).Strides(stride).Done()
}

// Relu is max(x, 0) of any shape.
func Relu(x *Node) *Node { return Max(x, ScalarZero(x.Graph(), x.DType())) }

// Shortcut is id(x) of a block, without parameters: x itself, or, where a group begins, x pooled over
// 2x2 pixels and padded with channels of zeros: [batch, side, side, in] becomes
// [batch, side/2, side/2, out].
func (n *Network) Shortcut(s Stage, x *Node) *Node {
	if !s.Transition() {
		return x
	}
	batch, side, in := x.Shape().Dimensions[0], s.Side, s.In
	pixels := Reshape(x, batch, side, 2, side, 2, in)
	if n.Subsample {
		pixels = Slice(pixels, AxisRange(), AxisRange(), AxisElem(0), AxisRange(), AxisElem(0), AxisRange())
		pixels = Reshape(pixels, batch, side, side, in)
	} else {
		pixels = ReduceMean(pixels, 2, 4)
	}
	pixels.AssertDims(batch, side, side, in)
	return Concatenate([]*Node{pixels, Zeros(x.Graph(), pixels.Shape())}, -1)
}

// normalized holds a batch normalisation's output and, in training, its batch statistics.
type normalized struct {
	y              *Node // as the input
	mean, variance *Node // [channels], in the parameters' type; variance divided by the count
}

// batchNormTrain normalises x [batch, height, width, channels] by its own mean and variance over
// batch, height and width, then scales and shifts each channel.
func batchNormTrain(x, scale, offset *Node) normalized {
	wide := ConvertDType(x, scale.DType())
	mean := ReduceMean(wide, 0, 1, 2)
	centred := Sub(wide, perChannel(mean))
	variance := ReduceMean(Square(centred), 0, 1, 2)
	y := Div(centred, perChannel(Sqrt(AddScalar(variance, Epsilon))))
	y = Add(Mul(y, perChannel(scale)), perChannel(offset))
	return normalized{y: ConvertDType(y, x.DType()), mean: mean, variance: variance}
}

// BatchNormTest normalises x [batch, height, width, channels] by the running averages.
func BatchNormTest(x, scale, offset, mean, variance *Node) *Node {
	factor := Div(scale, Sqrt(AddScalar(variance, Epsilon)))
	wide := ConvertDType(x, scale.DType())
	y := Add(Mul(wide, perChannel(factor)), perChannel(Sub(offset, Mul(mean, factor))))
	return ConvertDType(y, x.DType())
}

func perChannel(v *Node) *Node { return Reshape(v, 1, 1, 1, v.Shape().Size()) }

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
