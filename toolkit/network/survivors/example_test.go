package survivors_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/survivors"
)

// dense is a block of your own: f(x) = tanh(x W) on x [batch, width].
type dense struct {
	residual.Identity
	width int
}

func (d dense) Parameters() []residual.Parameter {
	return []residual.Parameter{{Name: "weights", Dims: []int{d.width, d.width}, Start: residual.Normal(0.5)}}
}

func (d dense) Branch(b *residual.Branch, x *graph.Node) *graph.Node {
	return graph.Tanh(graph.Dot(x, b.Value("weights")).Product())
}

// A stack of thirty blocks in your own graph, of which the minibatch opens three: the engine's loop makes three turns,
// forward and backward, and gives what the textbook form gives; closed blocks get no gradient.
func ExampleForm() {
	b, err := backend.Open()
	if err != nil {
		panic(err)
	}
	stack, store := residual.Stack{Name: "blocks", Count: 30, Block: dense{width: 8}}, model.NewStore()
	creator := residual.Creator{Store: store, DType: dtypes.Float64, Rand: rand.New(rand.NewPCG(1, 1))}
	if creator.Stack(stack); creator.Err() != nil {
		panic(creator.Err())
	}
	exec := model.MustNewExec(b, store, func(scope *model.Scope, x, gates *graph.Node) []*graph.Node {
		weights := stack.Value(scope, x.Graph(), stack.Trained()[0]) // [30, 8, 8]
		gradient := func(form residual.Form) *graph.Node {
			loss := graph.ReduceAllSum(graph.Square(form.Train(scope, stack, x, gates, nil)))
			return graph.Gradient(loss, weights)[0]
		}
		engine, textbook := gradient(survivors.Form{}), gradient(residual.Textbook{})
		return []*graph.Node{graph.ReduceMax(graph.Abs(engine), 1, 2), graph.ReduceAllMax(graph.Abs(graph.Sub(engine, textbook)))}
	})
	gates := make([]float64, 30)
	gates[3], gates[17], gates[29] = 1, 1, 1
	outputs := exec.MustCall([][]float64{{1, 2, 3, 4, 5, 6, 7, 8}, {8, 7, 6, 5, 4, 3, 2, 1}}, gates)
	for block, largest := range tensors.MustCopyFlatData[float64](outputs[0]) {
		if largest > 0 {
			fmt.Println("gradients reach block", block)
		}
	}
	fmt.Println("as in the textbook form:", tensors.ToScalar[float64](outputs[1]) < 1e-9)

	// Output:
	// gradients reach block 3
	// gradients reach block 17
	// gradients reach block 29
	// as in the textbook form: true
}
