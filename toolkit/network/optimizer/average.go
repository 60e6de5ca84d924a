package optimizer

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// AverageScope is where the exponential moving averages of variables live in the model store.
const AverageScope = "average"

// Average adds to the graph of a step, after [Optimizer.UpdateGraph], that the averages of variables move to their new values:
// a <- decay a + (1 - decay) w. The first step copies. PyTorch's AveragedModel with use_buffers does the same.
func Average(scope *model.Scope, g *Graph, decay float64, variables []*model.Variable) {
	store := scope.Store()
	steps := store.VariableWithShape(model.JoinPath(model.ScopeSeparator+AverageScope, "steps"), shapes.Make(dtypes.Int64),
		initializer.Zero).SetTrainable(false)
	before := steps.NodeValue(g)
	steps.SetNodeValue(Add(before, OnesLike(before)))
	for _, v := range variables {
		w, average := v.NodeValue(g), AverageOf(store, v)
		if average == nil {
			average = store.VariableWithShape(averagePath(v), v.Shape(), initializer.Zero).SetTrainable(false)
		}
		old := average.NodeValue(g)
		share := Where(Equal(before, ZerosLike(before)), ScalarOne(g, w.DType()), Scalar(g, w.DType(), 1-decay))
		average.SetNodeValue(Add(old, Mul(share, Sub(w, old))))
	}
}

// AverageOf returns the variable with the average of v, or nil if there is none yet.
func AverageOf(store *model.Store, v *model.Variable) *model.Variable {
	return store.GetVariable(averagePath(v))
}

func averagePath(v *model.Variable) string {
	return model.JoinPath(model.ScopeSeparator+AverageScope, v.Path())
}
