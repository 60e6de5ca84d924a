package explore

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors/byhand"
)

// Agreement compares the textbook form and the engine in one training step of a network with a kind of blocks, such as your
// own, random weights and two random images, in float64. It returns the largest difference between the logits, and the
// largest difference between the gradients of all weights.
func Agreement(block string, layers int, gates depth.Gates) (logits, gradients float64, err error) {
	b, err := shared()
	if err != nil {
		return 0, 0, err
	}
	textbook, err := outcome(b, block, layers, gates, resnet.Textbook{})
	if err != nil {
		return 0, 0, err
	}
	engine, err := outcome(b, block, layers, gates, byhand.Form{GPU: backend.KindOf(b) == backend.CUDA})
	if err != nil {
		return 0, 0, err
	}
	for i := range textbook {
		most := &gradients
		if i == 0 {
			most = &logits
		}
		for j, v := range textbook[i] {
			*most = max(*most, math.Abs(v-engine[i][j]))
		}
	}
	return logits, gradients, nil
}

// outcome returns, for one form, the logits, then the gradients of their mean square with respect to each weight.
func outcome(b compute.Backend, block string, layers int, gates depth.Gates, form resnet.Form) ([][]float64, error) {
	const images, classes = 2, 10
	rgb := dataset.Format{Height: 32, Width: 32, Channels: 3}
	groups, err := depth.GroupsOf(block, layers)
	if err != nil {
		return nil, err
	}
	network, err := resnet.New(block, groups, rgb, classes, depth.Linear(len(gates), 0.5))
	if err != nil {
		return nil, err
	}
	network.DType = dtypes.Float64
	store := model.NewStore()
	if err := network.Initialize(store, 1); err != nil {
		return nil, err
	}
	exec, err := model.NewExec(b, store, func(scope *model.Scope, images, gates *graph.Node) []*graph.Node {
		scope.Store().SetTraining(images.Graph(), true)
		logits := network.ForwardIn(form, scope, images, gates)
		loss := graph.ReduceAllMean(graph.Square(logits))
		return append([]*graph.Node{logits}, scope.BuildTrainableVariablesGradientsGraph(loss)...)
	})
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	pixels := make([]float64, images*rgb.Bytes())
	for i := range pixels {
		pixels[i] = rng.NormFloat64()
	}
	outputs, err := exec.Call(tensors.FromFlatDataAndDimensions(pixels, rgb.Batch(images)...), depth.Numbers[float64](gates))
	if mistake := new(residual.Mistake); errors.As(err, &mistake) {
		return nil, mistake
	}
	if err != nil {
		return nil, err
	}
	values := make([][]float64, len(outputs))
	for i, output := range outputs {
		values[i] = tensors.MustCopyFlatData[float64](output)
	}
	return values, nil
}
