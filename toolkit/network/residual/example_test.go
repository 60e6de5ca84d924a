package residual_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/residual"
)

// linear is a block of one weight: f(x) = w x, so H = (1 + w) H or, where it is closed, H.
type linear struct{ residual.Identity }

func (linear) Parameters() []residual.Parameter {
	return []residual.Parameter{{Name: "w", Start: residual.Constant(2)}}
}

func (linear) Branch(b *residual.Branch, x *graph.Node) *graph.Node {
	return graph.Mul(x, b.Value("w"))
}

// A stack of your own blocks in your own graph: in training each is multiplied by its gate (Eq. 2), at test by its survival
// probability (Eq. 5).
func Example() {
	b, err := backend.Open()
	if err != nil {
		panic(err)
	}
	stack, store := residual.Stack{Name: "blocks", Count: 3, Block: linear{}}, model.NewStore()
	creator := residual.Creator{Store: store, DType: dtypes.Float64, Rand: rand.New(rand.NewPCG(1, 1))}
	if creator.Stack(stack); creator.Err() != nil {
		panic(creator.Err())
	}
	exec := model.MustNewExec(b, store, func(scope *model.Scope, x, gates, survival *graph.Node) []*graph.Node {
		form := residual.Textbook{}
		return []*graph.Node{form.Train(scope, stack, x, gates, nil), form.Test(scope, stack, x, survival)}
	})
	outputs := exec.MustCall([]float64{1, -1}, []float64{1, 0, 1}, []float64{1, 0.75, 0.5})
	fmt.Println("training, the second block closed:", tensors.MustCopyFlatData[float64](outputs[0]))
	fmt.Println("test:", tensors.MustCopyFlatData[float64](outputs[1]))

	// Output:
	// training, the second block closed: [9 -9]
	// test: [15 -15]
}
