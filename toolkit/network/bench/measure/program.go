package measure

import (
	"context"
	"errors"

	"github.com/gomlx/compute"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/network/survivors/byhand"
)

// Program is the program of a network's training step, or of its evaluation, as text in StableHLO: for a GPU as XLA's
// plugin gets it, for the CPU as it is before package proxy inserts calls of the kernels. target is the kind of device for
// which it is written, backend.CPU or backend.CUDA; several devices share the minibatch. b must be the CPU's backend: to
// get the text, the program is compiled for the CPU.
func Program(b compute.Backend, s bench.Spec, target string, devices int, evaluation bool) (string, error) {
	if err := s.Check(); err != nil {
		return "", err
	}
	model, err := newModel(b, s)
	if err != nil {
		return "", err
	}
	if form, ok := model.Form.(byhand.Form); ok {
		form.GPU = target == backend.CUDA
		model.Form = form
	}
	if err := model.UseDevices(devices); err != nil {
		return "", err
	}
	var longest string // the shorter programs prepare its inputs
	proxy.Watch(func(program string) bool {
		if len(program) > len(longest) {
			longest = program
		}
		return true
	})
	defer proxy.Watch(nil)
	batch := randomBatch(model.Network, s.Batch)
	if evaluation {
		images := &dataset.Images{Format: batch.Format, Pixels: batch.Pixels, Labels: make([]uint16, s.Batch)}
		_, err = model.Evaluate(context.Background(), dataset.NewView(images))
	} else {
		_, _, err = timeStep(model, batch, make(depth.Gates, len(model.Network.Survival)))
	}
	if err == nil && longest == "" {
		err = errors.New("the program cannot be had: it takes XLA's CPU plugin and the kernels " +
			"(GOMLX_BACKEND=xla:cpu, and STOCHDEPTH_KERNELS not off)")
	}
	if target == backend.CUDA {
		longest = proxy.RewriteForGPU(longest)
	}
	return longest, err
}
