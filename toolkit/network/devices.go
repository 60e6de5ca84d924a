package network

import (
	"fmt"

	"github.com/gomlx/compute/distributed"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
)

// Several devices share the images of a training step: each holds all variables and computes its part of the minibatch,
// with the same gates, or with the gates of its images. XLA divides the step's graph for a single device (GoMLX's automatic
// sharding): sums over the minibatch, in batch normalisation, the loss and the gradients, are sums over all devices. So the
// outcome is the same as on one device, up to rounding, and the number of devices is not part of a run's recipe.
//
// The devices exchange only sums; if images are mixed, also these.

// sharing is a training step on several devices.
type sharing struct {
	devices int
	exec    *model.Exec
}

// UseDevices makes the next steps use the given number of the backend's first devices. A minibatch that they cannot share
// equally, such as the last one of an epoch, stays on the first device, and so does evaluation.
func (m *Model) UseDevices(devices int) error {
	if available := m.backend.NumDevices(); devices < 1 || devices > available {
		return fmt.Errorf("a run cannot use %d devices: there are %d here", devices, available)
	}
	m.sharing = nil
	if devices == 1 {
		return nil
	}
	if m.Network.SubBatches {
		return fmt.Errorf("gates_per \"subbatch\" takes a single device, not %d: the images of a part may be on any of them, "+
			"so use gates_per \"sample\"", devices)
	}
	if m.Recipe.DType == "bf16-products" {
		return fmt.Errorf("dtype bf16-products takes a single device, not %d, since XLA alone computes on several: take dtype float32", devices)
	}
	if size := m.Recipe.BatchSize; size%devices != 0 {
		return fmt.Errorf("%d devices cannot share minibatches of %d images equally: choose a batch size that is a multiple of %d",
			devices, size, devices)
	}
	mesh, err := distributed.NewDeviceMesh([]int{devices}, []string{"batch"})
	if err != nil {
		return err
	}
	divided, err := distributed.BuildSpec(mesh).S("batch").Done()
	if err != nil {
		return err
	}
	whole := distributed.NewReplicatedShardingSpec(mesh)
	gates := whole
	if m.gatesPerSample() {
		gates = divided
	}
	exec, err := m.named(model.NewExec(m.backend, m.Store, m.stepGraph))
	if err != nil {
		return err
	}
	inputs := []*distributed.ShardingSpec{divided, divided, gates} // pixels, labels, gates
	if m.Recipe.Augment != "none" {
		inputs = append(inputs, divided)
	}
	if m.Recipe.Mixes() {
		inputs = append(inputs, whole)
	}
	exec.AutoSharding(mesh).WithInputShardingSpecs(inputs...).WithOutputShardingSpecs(whole)
	m.sharing = &sharing{devices: devices, exec: exec}
	return nil
}

func (m *Model) gatesPerSample() bool { return m.Recipe.GatesPer == "sample" }

// program returns the program for the step of a minibatch, on one device (which may already have the images) or on all, and
// its inputs, one device after the other.
func (m *Model) program(b *Batch) (exec *model.Exec, inputs []any) {
	s := m.sharing
	if s == nil && m.resident != nil && b.Indices != nil {
		return m.resident.exec, m.resident.inputs(m, b)
	}
	if s == nil || len(b.Labels)%s.devices != 0 || b.perSample != m.gatesPerSample() {
		return m.stepExec, b.tensors(m)
	}
	for device := range s.devices {
		inputs = append(inputs, b.share(device, s.devices).tensors(m)...)
	}
	return s.exec, inputs
}

// share returns the part of the minibatch for one of the devices.
func (b *Batch) share(device, devices int) *Batch {
	part := *b
	part.Pixels, part.Labels = portion(b.Pixels, device, devices), portion(b.Labels, device, devices)
	part.Augmentation = portion(b.Augmentation, device, devices)
	if b.perSample {
		part.Gates = portion(b.Gates, device, devices)
	}
	return &part
}

// portion returns the i-th of n equal parts of values.
func portion[T any](values []T, i, n int) []T {
	size := len(values) / n
	return values[i*size : (i+1)*size]
}

// resident is a training step that takes its images from a part of the data set on the device.
type resident struct {
	images *tensors.Tensor // [images, height, width, channels], bytes
	exec   *model.Exec
}

// KeepOnDevice copies all images of a part to the device, 3 KB each at 32x32 pixels. From then on, steps on minibatches of
// this part bring only the images' indices, and compute the same. Steps shared by several devices do not change.
func (m *Model) KeepOnDevice(part dataset.View) error {
	indices, labels := make([]int32, part.Len()), make([]int32, part.Len())
	for i := range indices {
		indices[i] = int32(i)
	}
	pixels := make([]byte, part.Len()*part.Format().Bytes())
	if err := part.Gather(indices, pixels, labels); err != nil {
		return err
	}
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
