package analysis

import (
	"context"
	"errors"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
)

// Probabilities returns the class probabilities of each image of a part, [images][classes], at test: every block is open, and
// its branch is scaled (Eq. 5).
func Probabilities(ctx context.Context, m *network.Model, part dataset.View) ([][]float64, error) {
	scales, err := m.TestScales()
	if err != nil {
		return nil, err
	}
	return probabilities(ctx, m, part, scales)
}

// MonteCarlo returns the mean of the class probabilities over a number of passes, [images][classes]. In each pass the blocks
// of the whole part are open or closed as in a step of the training, by their current survival probabilities; batch
// normalisation uses its running averages. (Monte Carlo stochastic depth, after Gal and Ghahramani's dropout of 2016.) The
// seed decides the gates. done, unless nil, is called after each pass with its number, from 1.
func MonteCarlo(ctx context.Context, m *network.Model, part dataset.View, passes int, seed int64,
	done func(pass int)) (mean [][]float64, err error) {
	if passes < 1 {
		return nil, errors.New("the number of passes must be at least 1")
	}
	survival, err := m.CurrentSurvival()
	if err != nil {
		return nil, err
	}
	for pass := range passes {
		scales := make([]float64, len(survival))
		for i, open := range survival.Draw(depth.Rand(seed, depth.GateDraws, int64(pass))) {
			switch {
			case open && m.Network.Inverted:
				scales[i] = 1 / survival[i]
			case open:
				scales[i] = 1
			}
		}
		one, err := probabilities(ctx, m, part, scales)
		if err != nil {
			return nil, err
		}
		mean = plus(mean, one)
		if done != nil {
			done(pass + 1)
		}
	}
	return divided(mean, float64(passes)), nil
}

// Mean is the mean of several networks' probabilities for the same images, an ensemble.
func Mean(networks ...[][]float64) (mean [][]float64) {
	for _, one := range networks {
		mean = plus(mean, one)
	}
	return divided(mean, float64(len(networks)))
}

// plus adds b to a, which may be nil, and returns it.
func plus(a, b [][]float64) [][]float64 {
	if a == nil {
		a = make([][]float64, len(b))
		for i := range b {
			a[i] = make([]float64, len(b[i]))
		}
	}
	for i := range b {
		for c := range b[i] {
			a[i][c] += b[i][c]
		}
	}
	return a
}

// divided divides a by a number and returns it.
func divided(a [][]float64, by float64) [][]float64 {
	for i := range a {
		for c := range a[i] {
			a[i][c] /= by
		}
	}
	return a
}

// probabilities returns the class probabilities of each image at test with branches that are multiplied by scales, which are the
// network's survival probabilities meanwhile: so all scales share one program.
func probabilities(ctx context.Context, m *network.Model, part dataset.View, scales []float64) (list [][]float64, err error) {
	survival, err := m.CurrentSurvival()
	if err != nil {
		return nil, err
	}
	program, err := m.Program("probabilities", func(scope *model.Scope, inputs []*Node) []*Node {
		scales := residual.Variable(scope, resnet.SurvivalVariable).NodeValue(inputs[0].Graph())
		return []*Node{Reshape(Softmax(m.TestLogitsIn(network.Scaled(m.Form, scales), scope, inputs[0]), -1), -1)}
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.SetSurvival(survival)) }()
	if err := m.SetSurvival(scales); err != nil {
		return nil, err
	}
	err = m.OnImages(ctx, program, part, func(labels []int32, outputs [][]float64) {
		classes := len(outputs[0]) / len(labels)
		for i, label := range labels {
			if label >= 0 {
				list = append(list, outputs[0][i*classes:(i+1)*classes])
			}
		}
	})
	return list, err
}
