package outcome

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
)

// Why training times cannot be compared; ErrSteps means that the runs have done unequal work.
var (
	errNoTimes  = errors.New("has no training time recorded")
	errMachines = errors.New("the machines differ")
	ErrSteps    = errors.New("the numbers of steps differ")
)

// TimeSaved is the fraction of the training time of the reference runs that the faster runs save. Each list is of one
// setting and several seeds; if they share seeds, the runs of these are compared. saved is then 1 minus the mean of the
// paired ratios, and margin is half the width of its 95 % confidence interval by Student's t. If they share none, saved
// is 1 minus the ratio of the means, whose relative errors are added in squares. The margin is NaN if a side has one run
// only.
//
// Times are compared for equal work on one machine. Runs with different numbers of steps, runs of two machines, a run
// that went on on another machine, and a run without a time are errors.
func TimeSaved(reference, faster []*runs.Run) (saved, margin float64, err error) {
	for _, group := range [][]*runs.Run{reference, faster} {
		if err := onlySeeds(group); err != nil {
			return math.NaN(), math.NaN(), err
		}
	}
	reference, faster = OfSharedSeeds(reference, faster)
	if err := sameWork(reference, faster); err != nil {
		return math.NaN(), math.NaN(), err
	}
	saved, margin = timeSaved(reference, faster)
	return saved, margin, nil
}

// timeSaved is TimeSaved for runs of the same work that share all their seeds or none.
func timeSaved(reference, faster []*runs.Run) (saved, margin float64) {
	var ratios, a, b []float64
	for _, run := range reference {
		a = append(a, last(run).Seconds)
	}
	for _, run := range faster {
		b = append(b, last(run).Seconds)
		if i := indexOfSeed(reference, run.Recipe.Seed); i >= 0 {
			ratios = append(ratios, last(run).Seconds/a[i])
		}
	}
	if len(ratios) > 0 {
		return 1 - Average(ratios...).Mean, halfWidth(standardError(ratios))
	}
	ratio := Average(b...).Mean / Average(a...).Mean
	for _, times := range [][]float64{a, b} {
		mean := Average(times...).Mean
		for i := range times {
			times[i] /= mean
		}
	}
	return 1 - ratio, ratio * halfWidth(welch(a, b))
}

// sameWork returns an error unless all runs have a training time, of equally many steps on one machine.
func sameWork(constant, stochastic []*runs.Run) error {
	if err := OneMachine(constant, stochastic); err != nil {
		return err
	}
	first := constant[0]
	for _, run := range slices.Concat(constant, stochastic) {
		if steps, others := last(first).Step, last(run).Step; steps != others {
			return fmt.Errorf("the training times of %s and %s cannot be compared: %w, %d and %d",
				first.Name, run.Name, ErrSteps, steps, others)
		}
	}
	return nil
}

// OneMachine returns an error unless all runs have a training time, of one machine, so that times can be compared. A run
// whose first session has not ended names no machine yet.
func OneMachine(groups ...[]*runs.Run) error {
	var first *runs.Run // that names its machine
	for _, run := range slices.Concat(groups...) {
		machines := machinesOf(run)
		switch {
		case TimeOf([]*runs.Run{run}).N == 0:
			return fmt.Errorf("the run %s %w", run.Name, errNoTimes)
		case len(machines) > 1:
			return fmt.Errorf("the training time of %s cannot be compared with others: %w, it was trained on %s",
				run.Name, errMachines, say.Enumerate(machines))
		case len(machines) == 0:
		case first == nil:
			first = run
		case !slices.Equal(machines, machinesOf(first)):
			return fmt.Errorf("the training times of %s and %s cannot be compared: %w", first.Name, run.Name, errMachines)
		}
	}
	return nil
}

// TimeOf averages the training times of runs, in seconds; the mean is NaN if one of them is not recorded.
func TimeOf(group []*runs.Run) Estimate {
	var seconds []float64
	for _, run := range group {
		if !(last(run).Seconds > 0) {
			return Estimate{Mean: math.NaN()}
		}
		seconds = append(seconds, last(run).Seconds)
	}
	return Average(seconds...)
}
