package findrate

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Candidates are the p_L that are usually tried; 1 is constant depth.
var Candidates = []float64{1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4}

// Search is a search for the p_L of a training, within a budget. What it does next follows from the trainings so far alone, so
// it can stop and go on at any time.
type Search struct {
	Recipe     recipes.Recipe // of the training; its death rate does not count
	Candidates []float64      // p_L in descending order
	Budget     float64        // seconds of training
	Cost       func(survival float64, epochs int) float64
	Model      Model

	// Of a replay: the lengths of training that are recorded, the last is the whole one, and the p_L of each. In life nil: then
	// any p_L in tenths may be trained, from a quarter of the epochs on, or less if the budget is small.
	Lengths []int
	Offered func(epochs int) []float64
}

// Round is what is to be trained next: these p_L, for so many epochs, with one seed.
type Round struct {
	Epochs    int
	Survivals []float64 // descending
	Seed      int       // the first is 0
}

const (
	maxSeeds = 12 // of a comparison at full length

	// first is the largest part of the budget that the first round may take; longer rounds tell more.
	first = 0.25
)

// At is the recipe as a whole training of another length: the learning rate falls at the same parts of it, as milestones are,
// the warm-up and the window of averaged weights are the same parts of it, and so is the time between evaluations. Test images
// are not looked at before the end.
func At(r recipes.Recipe, epochs int) recipes.Recipe {
	part := float64(epochs) / float64(r.Epochs)
	if r.WarmupEpochs > 0 {
		r.WarmupEpochs = min(max(1, int(math.Round(float64(r.WarmupEpochs)*part))), epochs-1)
	}
	if r.EvaluateEvery > 0 {
		r.EvaluateEvery = max(1, int(math.Round(float64(r.EvaluateEvery)*part)))
	}
	if r.EMA > 0 {
		r.EMA = math.Pow(r.EMA, 1/part)
	}
	r.Epochs, r.TestEvery = epochs, 1000
	return r
}

// Check says in one sentence what is wrong with a search, or returns nil.
func (s Search) Check() error {
	switch r := s.Recipe; {
	case r.Rule == "list":
		return errors.New("the rule list gives each block its own survival probability, so there is no rate to find: take another rule, " +
			"such as linear")
	case r.Shortcut == "none":
		return errors.New("a network with shortcut none cannot close blocks, so there is no rate to find: take another shortcut")
	case r.From != "":
		return fmt.Errorf("the recipe begins with the weights of %s, which short trainings here do not have: leave the key from out", r.From)
	}
	if len(s.Candidates) < 2 {
		return fmt.Errorf("%d candidates are nothing to choose from: give two p_L at least", len(s.Candidates))
	}
	networks := make(map[string]float64)
	for i, p := range s.Candidates {
		if !(p > 0 && p <= 1) {
			return fmt.Errorf("the candidate %v is no p_L: it must be above 0 and at most 1, and 1 is constant depth", p)
		}
		if slices.Contains(s.Candidates[:i], p) {
			return fmt.Errorf("the candidate %v is there twice: leave one out", p)
		}
		if r := s.Recipe; p < 1 {
			r.DeathRate = deathRate(p)
			if err := r.Validate(); err != nil {
				return fmt.Errorf("the candidate %v: %w", p, err)
			}
			if survival, err := r.Survival(); err == nil {
				if other, there := networks[fmt.Sprint(survival)]; there {
					return fmt.Errorf("the candidates %v and %v are one network, since sub-batches round their survival probabilities to eighths "+
						"of the minibatch of %d: leave one out", other, p, r.BatchSize)
				}
				networks[fmt.Sprint(survival)] = p
			}
		}
	}
	return nil
}

// CheckBudget returns an error if the budget is not enough for an epoch of each candidate.
func (s Search) CheckBudget() error {
	least := 0.0
	for _, p := range s.Candidates {
		least += s.Cost(p, 1)
	}
	if least <= s.Budget {
		return nil
	}
	return fmt.Errorf("a budget of %s is too small: an epoch of each of the %d candidates takes about %s, and %s would be enough for "+
		"rounds up to the whole %d epochs", say.SpanOf(s.Budget), len(s.Candidates), say.SpanOf(least), say.SpanOf(s.enough()), s.Recipe.Epochs)
}

// enough is the time of all rounds, the last with one seed.
func (s Search) enough() float64 {
	s.Budget = math.Inf(1)
	lengths := s.lengths()
	sum, in := 0.0, len(s.Candidates)
	for _, epochs := range lengths {
		some := s.Candidates[:in]
		sum += s.cost(s.round(epochs, some, nil))
		in = max(min(2, in), (in+1)/2)
	}
	return sum
}

// lengths are the numbers of epochs of the rounds, ascending.
func (s Search) lengths() (list []int) {
	if s.Lengths != nil {
		return s.Lengths
	}
	whole := s.Recipe.Epochs
	shortest := max(1, whole/4)
	for shortest > 1 && s.cost(s.round(shortest, s.Candidates, nil)) > first*s.Budget {
		shortest /= 2
	}
	for epochs := shortest; epochs < whole; epochs *= 2 {
		if 4*epochs < 3*whole { // else the whole length is as good
			list = append(list, epochs)
		}
	}
	return append(list, whole)
}

func (s Search) cost(r Round) (sum float64) {
	for _, p := range r.Survivals {
		sum += s.Cost(p, r.Epochs)
	}
	return sum
}

// spent is the time of runs.
func spent(list []*runs.Run) (sum float64) {
	for _, run := range list {
		seconds := run.Seconds()
		if run.Result != nil && run.Result.Completed {
			seconds = max(seconds, run.Result.WallSeconds) // with compilation
		}
		if !math.IsNaN(seconds) {
			sum += seconds
		}
	}
	return sum
}

// Next returns the next round after these runs; false if the budget does not allow it, or if nothing is left to find out.
func (s Search) Next(list []*runs.Run) (Round, bool) {
	left := s.Budget - spent(list)
	longest := 0
	for _, run := range list {
		longest = max(longest, run.Recipe.Epochs)
	}
	whole := s.Recipe.Epochs
	for _, epochs := range s.lengths() {
		if epochs <= longest && epochs < whole {
			continue
		}
		if epochs == whole && longest == whole && len(s.lengths()) > 1 {
			break
		}
		in, err := s.remaining(list)
		if err != nil {
			return Round{}, false
		}
		if r := s.affordable(s.round(epochs, in, list), list, left); len(r.Survivals) > 0 {
			return r, true
		}
	}
	if r := s.affordable(s.beside(list), list, left); len(r.Survivals) > 0 {
		return r, true
	}
	r := s.again(list)
	return r, len(r.Survivals) > 0 && s.cost(r) <= left
}

// affordable is a round with as many of its trainings as the time that is left allows. Those that speak for p_L far from what the
// model wants go first; of a first round the lowest p_L or, if it is of the whole length and half of the time should be left for
// another one, so many that the others stand at equal distances.
func (s Search) affordable(r Round, list []*runs.Run, left float64) Round {
	all := r.Survivals
	wanted, err := s.Model.wanted(list, s.Recipe.Epochs)
	for n := len(all); n > 0; n-- {
		r.Survivals = nil
		most := left
		switch {
		case len(list) > 0 && err == nil:
			nearest := slices.Clone(all)
			slices.SortStableFunc(nearest, func(a, b float64) int { return cmp.Compare(s.off(a, r.Epochs, wanted), s.off(b, r.Epochs, wanted)) })
			r.Survivals = nearest[:n]
			slices.SortFunc(r.Survivals, descending)
		case r.Epochs < s.Recipe.Epochs:
			r.Survivals = all[:n]
		default:
			for i := range n {
				r.Survivals = append(r.Survivals, all[(2*i+1)*len(all)/(2*n)])
			}
			if n > 1 {
				most /= 2
			}
		}
		if s.cost(r) <= most {
			return r
		}
	}
	r.Survivals = nil
	return r
}

// off is how far the share of open blocks for which a training speaks is from what is wanted.
func (s Search) off(survival float64, epochs int, wanted float64) float64 {
	return math.Abs(share(s.Recipe, survival) - s.Model.lengthening(epochs, s.Recipe.Epochs) - wanted)
}

// remaining are the candidates after these runs: half of them, the nearest to what the model wants, for each length of training
// so far, but two at least.
func (s Search) remaining(list []*runs.Run) ([]float64, error) {
	if len(list) == 0 {
		return s.Candidates, nil
	}
	wanted, err := s.Model.wanted(list, s.Recipe.Epochs)
	if err != nil {
		return nil, err
	}
	var lengths []int
	for _, run := range list {
		if !slices.Contains(lengths, run.Recipe.Epochs) {
			lengths = append(lengths, run.Recipe.Epochs)
		}
	}
	n := len(s.Candidates)
	for range lengths {
		n = max(min(2, n), (n+1)/2)
	}
	kept := slices.Clone(s.Candidates)
	slices.SortStableFunc(kept, func(a, b float64) int {
		return cmp.Compare(math.Abs(share(s.Recipe, a)-wanted), math.Abs(share(s.Recipe, b)-wanted))
	})
	kept = kept[:n]
	slices.SortFunc(kept, descending)
	return kept, nil
}

func descending(a, b float64) int { return cmp.Compare(b, a) }

// round is the round of a length for these candidates. A shorter training of a higher p_L stands for each of them: the one that
// will have learned as much. At the whole length they are trained themselves, and constant depth beside them, unless they are
// there already.
func (s Search) round(epochs int, in []float64, list []*runs.Run) Round {
	r := Round{Epochs: epochs}
	if epochs == s.Recipe.Epochs {
		for _, p := range s.Candidates {
			there := slices.ContainsFunc(list, func(run *runs.Run) bool {
				return run.Recipe.Epochs == epochs && survivalOf(run) == p
			})
			if (slices.Contains(in, p) || p == 1 && len(s.lengths()) > 1) && !there {
				r.Survivals = append(r.Survivals, p)
			}
		}
		return r
	}
	offered := s.offered(epochs)
	for _, p := range in {
		open := share(s.Recipe, p) + s.Model.lengthening(epochs, s.Recipe.Epochs)
		nearest := slices.MinFunc(offered, func(a, b float64) int {
			return cmp.Compare(math.Abs(share(s.Recipe, a)-open), math.Abs(share(s.Recipe, b)-open))
		})
		if !slices.Contains(r.Survivals, nearest) {
			r.Survivals = append(r.Survivals, nearest)
		}
	}
	if len(r.Survivals) == 1 { // a second one, so that not all depends on one training
		if i := slices.Index(offered, r.Survivals[0]); i+1 < len(offered) {
			r.Survivals = append(r.Survivals, offered[i+1])
		}
	}
	slices.SortFunc(r.Survivals, descending)
	return r
}

// offered are the p_L that can be trained for so many epochs, in descending order.
func (s Search) offered(epochs int) []float64 {
	if s.Offered != nil {
		return s.Offered(epochs)
	}
	return []float64{1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1}
}

// beside is a round at the whole length of the candidates beside the best one, so that it comes to stand between two others.
func (s Search) beside(list []*runs.Run) Round {
	settings := s.whole(list)
	r := Round{Epochs: s.Recipe.Epochs}
	if len(settings) < 2 {
		return r
	}
	at := slices.Index(s.Candidates, survivalOf(settings[bestOf(settings)][0]))
	for _, i := range []int{at - 1, at + 1} {
		if i >= 0 && i < len(s.Candidates) && !slices.ContainsFunc(settings, func(setting []*runs.Run) bool {
			return survivalOf(setting[0]) == s.Candidates[i]
		}) {
			r.Survivals = append(r.Survivals, s.Candidates[i])
		}
	}
	return r
}

// again is a round at the whole length with one more seed: of the best p_L and of those that may be as good, first of those that
// have fewer seeds than others. It is empty where the best one is clear, and after [maxSeeds].
func (s Search) again(list []*runs.Run) Round {
	settings := s.whole(list)
	r := Round{Epochs: s.Recipe.Epochs, Seed: maxSeeds}
	if len(settings) < 2 {
		return r
	}
	best := bestOf(settings)
	var open [][]*runs.Run
	for i, setting := range settings {
		if i == best || !clearlyWorse(settings[best], setting) {
			open = append(open, setting)
			r.Seed = min(r.Seed, len(setting))
		}
	}
	if len(open) < 2 || r.Seed >= maxSeeds {
		return r
	}
	for _, setting := range open {
		if len(setting) == r.Seed {
			r.Survivals = append(r.Survivals, survivalOf(setting[0]))
		}
	}
	return r
}

// whole groups the runs of the whole length by p_L, in descending order.
func (s Search) whole(list []*runs.Run) [][]*runs.Run {
	long := slices.DeleteFunc(slices.Clone(list), func(r *runs.Run) bool { return r.Recipe.Epochs != s.Recipe.Epochs })
	settings := byRate(long)
	slices.SortFunc(settings, func(a, b []*runs.Run) int { return descending(survivalOf(a[0]), survivalOf(b[0])) })
	return settings
}

// bestOf is the index of the setting with the lowest mean validation error, of those with most seeds: the others were given up.
// A seed that only one setting has is of a round that is not finished, and does not count.
func bestOf(settings [][]*runs.Run) int {
	var counts []int
	for _, setting := range settings {
		counts = append(counts, len(setting))
	}
	slices.Sort(counts)
	most := counts[max(0, len(counts)-2)]
	best, lowest := 0, math.Inf(1)
	for i, setting := range settings {
		if len(setting) < most {
			continue
		}
		for _, other := range settings {
			if len(other) >= most {
				setting, _ = outcome.OfSharedSeeds(setting, other)
			}
		}
		if mean := outcome.ValidationError.Known(setting).Mean; mean < lowest {
			best, lowest = i, mean
		}
	}
	return best
}

// clearlyWorse reports whether the interval of the difference of the validation errors lies above zero.
func clearlyWorse(best, other []*runs.Run) bool {
	contrast, err := outcome.ContrastOf(outcome.ValidationError, best, other)
	low, _ := contrast.Interval()
	return err == nil && low > 0
}
