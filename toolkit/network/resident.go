package network

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
)

// resident is a training step that takes its images from a part of the data set on the device.
type resident struct {
	images *tensors.Tensor // [images, height, width, channels], bytes
	exec   *model.Exec
}

// KeepOnDevice copies all images of a part to the device, 3 KB each in the sets here. From then on, steps on minibatches of
// this part bring only the images' indices, and compute the same. Steps shared by several devices do not change.
func (m *Model) KeepOnDevice(part dataset.View) error {
	indices, labels := make([]int32, part.Len()), make([]int32, part.Len())
	for i := range indices {
		indices[i] = int32(i)
	}
	pixels := make([]byte, part.Len()*part.Format().Bytes())
	part.Gather(indices, pixels, labels)
	exec, err := m.named(model.NewExec(m.backend, m.Store, func(scope *model.Scope, inputs []*Node) *Node {
		images, chosen := inputs[0], inputs[1]
		return m.stepGraph(scope, append([]*Node{Gather(images, ExpandAxes(chosen, -1))}, inputs[2:]...))
	}))
	if err != nil {
		return err
	}
	m.resident = &resident{tensors.FromFlatDataAndDimensions(pixels, part.Format().Batch(part.Len())...), exec}
	return nil
}

// inputs returns the inputs of the step on a minibatch: the part's images, the minibatch's indices, and the usual rest.
func (r *resident) inputs(m *Model, b *Batch) []any {
	indices := tensors.FromFlatDataAndDimensions(b.Indices, len(b.Indices))
	return append([]any{r.images, indices}, b.inputs(m)...)
}

// free releases the inputs of a step, but not the images that stay on the device.
func (m *Model) free(inputs []any) {
	if m.resident != nil && inputs[0] == any(m.resident.images) {
		inputs = inputs[1:]
	}
	free(inputs)
}
