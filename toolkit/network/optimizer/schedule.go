package optimizer

import "math"

// Schedule is the learning rate over the training: a warm-up, then the paper's rate that is divided by ten at given epochs
// (Section 4), or a cosine.
type Schedule struct {
	Rate  float64 // after the warm-up: 0.1 in the paper
	Drops []int   // the epochs, from 0, at which the rate is divided once more: 250 and 375 of 500 for CIFAR

	WarmupEpochs int     // 10 for 1202 layers, else 0
	WarmupRate   float64 // 0.01 for 1202 layers
	// WarmupLinear makes the rate of the warm-up rise at every step, from WarmupRate towards Rate, which the first step after it
	// has: PyTorch's LinearLR, and timm's warm-up with warmup_prefix.
	WarmupLinear bool

	// Cosine, if not 0, is the number of epochs of the training: after the warm-up the rate falls to 0 as half a cosine, at
	// every step. So PyTorch's CosineAnnealingLR does behind a ConstantLR in a SequentialLR, stepped after every minibatch. (timm
	// lays the warm-up over the first part of the cosine. GoMLX's own cosine starts again with each call of RunSteps.)
	Cosine int

	// Own, if not nil, gives the factor of the rate when a part of the training after the warm-up, in [0, 1), is done; Epochs
	// is then the number of epochs of the training.
	Own    func(at float64) float64
	Epochs int
}

// At returns the rate of the step with the given number, from 0, if an epoch has perEpoch steps. With a drop at 250 the first
// 250 epochs have the undivided rate. (The authors' code divides one epoch earlier.)
func (s Schedule) At(step, perEpoch int64) float64 {
	epoch := int(step / perEpoch)
	if epoch < s.WarmupEpochs {
		if s.WarmupLinear {
			return s.WarmupRate + (s.Rate-s.WarmupRate)*float64(step)/float64(int64(s.WarmupEpochs)*perEpoch)
		}
		return s.WarmupRate
	}
	if s.Cosine > 0 {
		first := int64(s.WarmupEpochs) * perEpoch
		return s.Rate * (1 + math.Cos(math.Pi*float64(step-first)/float64(int64(s.Cosine)*perEpoch-first))) / 2
	}
	if s.Own != nil {
		first := int64(s.WarmupEpochs) * perEpoch
		return s.Rate * s.Own(float64(step-first)/float64(int64(s.Epochs)*perEpoch-first))
	}
	divisions := 0
	for _, drop := range s.Drops {
		if epoch >= drop {
			divisions++
		}
	}
	return s.Rate / math.Pow10(divisions)
}
