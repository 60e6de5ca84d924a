package optimizer

import "math"

// Schedule is the paper's learning rate by epoch: a warm-up, then a rate that is divided by ten at given epochs (Section 4).
type Schedule struct {
	Rate  float64 // after the warm-up: 0.1 in the paper
	Drops []int   // the epochs, from 0, at which the rate is divided once more: 250 and 375 of 500 for CIFAR

	WarmupEpochs int     // 10 for 1202 layers, else 0
	WarmupRate   float64 // 0.01 for 1202 layers
}

// At returns the rate of an epoch, counted from 0. With a drop at 250 the first 250 epochs have the undivided rate. (The
// authors' code divides one epoch earlier.)
func (s Schedule) At(epoch int) float64 {
	if epoch < s.WarmupEpochs {
		return s.WarmupRate
	}
	divisions := 0
	for _, drop := range s.Drops {
		if epoch >= drop {
			divisions++
		}
	}
	return s.Rate / math.Pow10(divisions)
}
