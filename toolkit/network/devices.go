package network

import (
	"fmt"

	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/gomlx/ml/model"
)

// Several devices share a training step by its images: each holds all variables and computes its part of the
// minibatch, with the same gates, or with those of its images. The step's graph is the one for a single device, which XLA divides (GoMLX's automatic
// sharding): what sums over the minibatch, as batch normalisation, the loss and the gradients do, sums over all
// devices. So the outcome is that of one device but for rounding, and their number is no part of a run's recipe.
//
// The devices exchange sums alone.

// sharing is a training step on several devices.
type sharing struct {
	devices int
	exec    *model.Exec
}

// UseDevices spreads the steps from now on over the backend's first so many devices. A minibatch that they cannot
// share equally, as the last of an epoch may be, stays on the first device, and so does evaluation.
func (m *Model) UseDevices(devices int) error {
	if available := m.backend.NumDevices(); devices < 1 || devices > available {
		return fmt.Errorf("a run cannot use %d devices: there are %d here", devices, available)
	}
	m.sharing = nil
	if devices == 1 {
		return nil
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
	exec.AutoSharding(mesh).WithInputShardingSpecs(divided, divided, gates, divided).WithOutputShardingSpecs(whole)
	m.sharing = &sharing{devices: devices, exec: exec}
	return nil
}

func (m *Model) gatesPerSample() bool { return m.Recipe.GatesPer == "sample" }

// program returns what computes the step of a minibatch, on one device (that may have the images already) or on all, and
// its inputs, those of one device after the other.
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

// share returns the part of the minibatch for one of so many devices.
func (b *Batch) share(device, devices int) *Batch {
	part := *b
	part.Pixels, part.Labels = portion(b.Pixels, device, devices), portion(b.Labels, device, devices)
	part.Augmentation = portion(b.Augmentation, device, devices)
	if b.perSample {
		part.Gates = portion(b.Gates, device, devices)
	}
	return &part
}

// portion is the i-th of n equal parts of values.
func portion[T any](values []T, i, n int) []T {
	size := len(values) / n
	return values[i*size : (i+1)*size]
}
