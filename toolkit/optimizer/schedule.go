package optimizer

import "math"

// Schedule is the paper's learning rate by epoch: a warm-up, then a rate that is divided by ten after
// given fractions of the epochs (Section 4).
type Schedule struct {
	Rate       float64   // after the warm-up: 0.1 in the paper
	Epochs     int       // of the whole run
	Milestones []float64 // fractions of Epochs: 0.5 and 0.75 for CIFAR, 0.6 and 0.7 for SVHN

	WarmupEpochs int     // 10 for 1202 layers, else 0
	WarmupRate   float64 // 0.01 for 1202 layers
}

// At returns the rate of an epoch, counted from 0. With 500 epochs and a milestone of 0.5 the first
// 250 epochs have the undivided rate. (The authors' code divides one epoch earlier.)
func (s Schedule) At(epoch int) float64 {
	if epoch < s.WarmupEpochs {
		return s.WarmupRate
	}
	divisions := 0
	for _, fraction := range s.Milestones {
		if float64(epoch) >= fraction*float64(s.Epochs) {
			divisions++
		}
	}
	return s.Rate / math.Pow10(divisions)
}
