package training

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Augment runs augment for tests.
func Augment(b compute.Backend, images, draws *tensors.Tensor) (*tensors.Tensor, error) {
	return graph.CallOnce(b, augment, images, draws)
}
