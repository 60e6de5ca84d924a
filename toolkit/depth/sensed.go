package depth

import (
	"fmt"
	"math"
	"slices"
)

// leastSensed is the lowest survival probability that [Sensed] gives, so that each block learns.
const leastSensed = 0.05

// Sensed returns survival probabilities in proportion to how much the loss depends on each block, p_l = min(1, a s_l), with the
// factor a for which their mean is the budget, the expected share of open blocks (after Hayou and Ayed 2021, arXiv 2106.03091,
// who call it the sensitivity mode). No probability is below 0.05. A budget from 0.05 to 1 and a sensitivity above zero are
// needed; sensitivities below zero count as zero.
func Sensed(sensitivities []float64, budget float64) (Survival, error) {
	if !(budget >= leastSensed && budget <= 1) {
		return nil, fmt.Errorf("budget %v is outside [%v, 1]: it is the expected share of open blocks", budget, leastSensed)
	}
	highest := 0.0
	for i, s := range sensitivities {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			return nil, fmt.Errorf("the sensitivity of block %d is %v", i+1, s)
		}
		highest = max(highest, s)
	}
	if highest <= 0 {
		return nil, fmt.Errorf("no block lowers the loss, so there is nothing to share out")
	}
	at := func(factor float64) Survival {
		p := make(Survival, len(sensitivities))
		for i, s := range sensitivities {
			p[i] = min(1, max(leastSensed, factor*s/highest))
		}
		return p
	}
	target := budget * float64(len(sensitivities))
	low, high := 0.0, 1.0
	for at(high).ExpectedOpen() < target {
		if high *= 2; high > 1e12 { // blocks of no sensitivity cannot be opened more often
			return nil, fmt.Errorf("budget %v is out of reach: %d of %d blocks do not lower the loss, and get %v each", budget,
				len(slices.DeleteFunc(slices.Clone(sensitivities), func(s float64) bool { return s > 0 })), len(sensitivities), leastSensed)
		}
	}
	for range 100 {
		if middle := (low + high) / 2; at(middle).ExpectedOpen() < target {
			low = middle
		} else {
			high = middle
		}
	}
	p := at(high)
	for i := range p {
		p[i] = math.Round(p[i]*1e4) / 1e4 // as a recipe is written
	}
	return p, nil
}
