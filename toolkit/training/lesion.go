package training

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/resnet"
)

// Remove takes blocks, counted from 1, out of the network: from then on H_l = id(H_{l-1}). It sets the scale and
// offset of a block's last batch normalisation to zero, so that f_l is zero; the other blocks stay as they are. The
// returned function puts the blocks back.
func (m *Model) Remove(blocks ...int) (putBack func() error, err error) {
	type value struct {
		name string
		was  *tensors.Tensor
	}
	var changed []value
	putBack = func() error {
		for _, v := range changed {
			if err := resnet.Variable(m.Store.RootScope(), v.name).SetValue(v.was); err != nil {
				return err
			}
		}
		changed = nil
		return nil
	}
	out := make(map[int]bool)
	for _, block := range blocks {
		if block < 1 || block > len(m.Network.Survival) {
			return nil, fmt.Errorf("there is no block %d to remove: they are 1 to %d", block, len(m.Network.Survival))
		}
		out[block] = true
	}
	for _, stage := range m.Network.Stages() {
		for _, name := range []string{stage.Name + "/scale2", stage.Name + "/offset2"} {
			v := resnet.Variable(m.Store.RootScope(), name)
			current, err := v.Value()
			if err != nil {
				return nil, err
			}
			was, err := current.LocalClone()
			if err != nil {
				return nil, err
			}
			touched := false
			err = current.MutableFlatData(func(flat any) {
				for i := range stage.Count {
					if out[stage.First+i+1] {
						touched = true
						zero(flat, i*stage.Out, stage.Out)
					}
				}
			})
			if err != nil {
				return nil, err
			}
			if touched {
				changed = append(changed, value{name, was})
			}
		}
	}
	return putBack, nil
}

// zero sets n values from first on to zero.
func zero(flat any, first, n int) {
	switch flat := flat.(type) {
	case []float32:
		clear(flat[first : first+n])
	case []float64:
		clear(flat[first : first+n])
	}
}

// Lesions is the lesion study of Veit et al. (2016, "Residual Networks Behave Like Ensembles of Relatively Shallow
// Networks"): the errors on a part, in percent, after removing counts[i] blocks chosen at random, for so many choices
// each. The same seed makes the same choices for networks of equal depth.
func (m *Model) Lesions(ctx context.Context, part dataset.View, counts []int, choices int, seed int64) ([][]float64, error) {
	errors := make([][]float64, len(counts))
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	for i, count := range counts {
		if count < 0 || count > len(m.Network.Survival) {
			return nil, fmt.Errorf("%d blocks cannot be removed from %d", count, len(m.Network.Survival))
		}
		for range choices {
			removed := rng.Perm(len(m.Network.Survival))[:count]
			for j := range removed {
				removed[j]++
			}
			score, err := m.without(ctx, part, removed)
			if err != nil {
				return nil, err
			}
			errors[i] = append(errors[i], score.Error)
			if count == 0 || count == len(m.Network.Survival) {
				break // there is one choice only
			}
		}
	}
	return errors, nil
}

// without evaluates with some blocks removed.
func (m *Model) without(ctx context.Context, part dataset.View, blocks []int) (Score, error) {
	putBack, err := m.Remove(blocks...)
	if err != nil {
		return Score{}, err
	}
	score, err := m.Evaluate(ctx, part)
	if backErr := putBack(); err == nil {
		err = backErr
	}
	return score, err
}
