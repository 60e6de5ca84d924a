package analysis

import (
	"context"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network"
)

// Sensitivities returns for each block how much the loss on a part rises without it, at test. (Hayou and Ayed 2021 take the first
// order of this, the gradient by the gate.) It is below zero for a block without which the network is better. done, unless nil,
// is called after each block with its number.
func Sensitivities(ctx context.Context, m *network.Model, part dataset.View, done func(block int)) ([]float64, error) {
	whole, err := m.Evaluate(ctx, part)
	if err != nil {
		return nil, err
	}
	list := make([]float64, len(m.Network.Survival))
	for l := range list {
		score, err := without(ctx, m, part, []int{l + 1})
		if err != nil {
			return nil, err
		}
		list[l] = score.Loss - whole.Loss
		if done != nil {
			done(l + 1)
		}
	}
	return list, nil
}
