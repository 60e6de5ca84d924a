package analysis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network"
)

// Remove takes blocks, counted from 1, out of the network: from then on H_l = id(H_{l-1}) at test. It sets what their
// branches are multiplied by to zero; the other blocks stay as they are. The returned function puts the blocks back.
func Remove(m *network.Model, blocks ...int) (putBack func() error, err error) {
	was, err := m.SurvivalInForce()
	if err != nil {
		return nil, err
	}
	now := slices.Clone(was)
	for _, block := range blocks {
		if block < 1 || block > len(now) {
			return nil, fmt.Errorf("there is no block %d to remove: they are 1 to %d", block, len(now))
		}
		now[block-1] = 0
	}
	return func() error { return m.SetSurvival(was) }, m.SetSurvival(now)
}

// Lesions is the lesion study of Veit et al. (2016, "Residual Networks Behave Like Ensembles of Relatively Shallow
// Networks"): the errors on a part, in percent, after removing counts[i] blocks chosen at random, for so many choices
// each. The same seed makes the same choices for networks of equal depth.
func Lesions(ctx context.Context, m *network.Model, part dataset.View, counts []int, choices int, seed int64) ([][]float64, error) {
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
				break // there is one choice only
			}
		}
	}
	return percent, nil
}

// without evaluates with some blocks removed.
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
