package analysis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network"
)

// Remove takes blocks, counted from 1, out of the network: from then on H_l = id(H_{l-1}) at test. It sets the factors of
// their branches to zero; the other blocks stay as they are. The returned function puts the blocks back.
func Remove(m *network.Model, blocks ...int) (putBack func() error, err error) {
	was, err := m.CurrentSurvival()
	if err != nil {
		return nil, err
	}
	now := slices.Clone(was)
	for _, block := range blocks {
		if block < 1 || block > len(now) {
			return nil, fmt.Errorf("there is no block %d to remove: the blocks are 1 to %d", block, len(now))
		}
		now[block-1] = 0
	}
	return func() error { return m.SetSurvival(was) }, m.SetSurvival(now)
}

// Lesions is the lesion study of Veit et al. (2016, "Residual Networks Behave Like Ensembles of Relatively Shallow
// Networks"): in [i] the errors on a part, in percent, after removing counts[i] random blocks, for the given number of random
// choices. The same seed makes the same choices for networks of equal depth.
func Lesions(ctx context.Context, m *network.Model, part dataset.View, counts []int, choices int,
	seed int64) ([][]float64, error) {
	blocks := len(m.Network.Survival)
	percent := make([][]float64, len(counts))
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	for i, count := range counts {
		if count < 0 || count > blocks {
			return nil, fmt.Errorf("%d blocks cannot be removed from %d", count, blocks)
		}
		for range choices {
			removed := rng.Perm(blocks)[:count]
			for j := range removed {
				removed[j]++
			}
			score, err := without(ctx, m, part, removed)
			if err != nil {
				return nil, err
			}
			percent[i] = append(percent[i], score.Error)
			if count == 0 || count == blocks {
				break // there is only one choice
			}
		}
	}
	return percent, nil
}

// without evaluates the network without some blocks.
func without(ctx context.Context, m *network.Model, part dataset.View, blocks []int) (network.Score, error) {
	putBack, err := Remove(m, blocks...)
	if err != nil {
		return network.Score{}, err
	}
	score, err := m.Evaluate(ctx, part)
	if backErr := putBack(); err == nil {
		err = backErr
	}
	return score, err
}
