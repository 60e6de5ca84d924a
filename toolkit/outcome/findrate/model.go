// Package findrate looks for the survival probability of the last block, p_L, that suits a training, in a small part of the
// time that a sweep over p_L takes: by short trainings, and by what the records say of longer ones.
//
// # What a short training tells
//
// Its validation error misleads: the shorter a training, the better is constant depth. What carries over is how well a network
// has learned its images. Here that is [Learned], the logarithm of validation error over training error: 0 while both are
// equal, 1.4 where the training error is a quarter of the validation error. Over all recorded trainings it follows, up to a
// constant for each regime (data, network and optimizer),
//
//	ln Learned = c + Epochs · ln(epochs) + Open · (expected share of open blocks),
//
// and the best p_L of a sweep is near the one at which Learned has a certain value, wherever that is. So a few short
// trainings give c, and c gives the p_L at which a training of the whole length will have learned that much. [Fit] fits the
// numbers of the [Model] to records, and [Replay] says how good its choices are for regimes that it was not fitted to.
//
// # Short trainings are whole
//
// A short training is a whole short schedule, its drops of the learning rate included (see [At]), and not the beginning of a
// long one: at the high rate of the beginning, networks of all p_L have learned little, and their validation errors jump. The
// price is that a longer training begins anew. Rounds of twice the length each, with half of the candidates each, share out the
// time as successive halving does.
package findrate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Model says how much a training will have learned, and how much it has learned at the best p_L.
type Model struct {
	Epochs   float64 // exponent of the number of epochs
	Open     float64 // how much ln Learned rises from no open block to all blocks
	Residual float64 // standard deviation of ln Learned about this

	Best   float64 // ln Learned at the best p_L of a sweep: mean over regimes
	Spread float64 // its standard deviation over regimes

	Settings, Regimes int // settings behind the first three; regimes with a best p_L within the sweep, behind the others
}

// Recorded is the model fitted to all runs of this project.
var Recorded = Model{Epochs: 1.77, Open: 6.76, Residual: 0.41, Best: 0.19, Spread: 0.63}

// Learned between leastLearned and mostLearned tells something of a network: below it has learned nothing yet, and above, with
// a training error of a twentieth of the validation error, what is left is noise.
const leastLearned, mostLearned = 0.05, 3.0

// Learned is the logarithm of the lowest validation error over the training error at the end.
func Learned(run *runs.Run) (float64, error) {
	best, ok := run.Selected()
	if !ok || len(run.Rows) == 0 {
		return 0, fmt.Errorf("the run %s has no errors recorded", run.Name)
	}
	return math.Log(best.ValidationError / run.Rows[len(run.Rows)-1].TrainError), nil // +Inf where it knows all its images
}

// telling reports whether Learned says where a network stands, and not only that it is outside.
func telling(learned float64) bool { return learned > leastLearned && learned < mostLearned }

// logLearned is ln Learned, of the nearest value that tells something.
func logLearned(learned float64) float64 {
	return math.Log(min(max(learned, leastLearned), mostLearned))
}

// share is the expected share of open blocks over a training with this p_L.
func share(r recipes.Recipe, survival float64) float64 {
	r.DeathRate = deathRate(survival)
	open, blocks := r.ExpectedOpen()
	return open / float64(blocks)
}

// deathRate is 1 - p_L without rounding noise.
func deathRate(survival float64) float64 { return math.Round((1-survival)*1e9) / 1e9 }

// survivalOf is p_L of a run.
func survivalOf(run *runs.Run) float64 { return math.Round((1-run.Recipe.DeathRate)*1e9) / 1e9 }

// survivalAt is the p_L with an expected share of open blocks, between 0 and 1.
func survivalAt(r recipes.Recipe, open float64) float64 {
	low, high := 0.0, 1.0
	for range 40 {
		if middle := (low + high) / 2; share(r, middle) < open {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// wanted is the share of open blocks at which a training of so many epochs will have learned as much as the best ones do, from
// trainings of any length and p_L; below 0 or above 1 where that is out of reach. Trainings count more the less what they speak
// for differs from them, in its length and in its share of open blocks; those that tell nothing count only if there are no others.
func (m Model) wanted(list []*runs.Run, epochs int) (float64, error) {
	var sum, weights float64
	for _, onlyTelling := range []bool{true, false} {
		for _, run := range list {
			learned, err := Learned(run)
			if err != nil {
				return 0, err
			}
			if onlyTelling && !telling(learned) {
				continue
			}
			longer := m.Epochs * math.Log(float64(epochs)/float64(run.Recipe.Epochs))
			more := logLearned(learned) + longer - m.Best // than wanted, with this share of open blocks
			weight := 1 / (m.Residual*m.Residual + (more*more+longer*longer)/4)
			sum += weight * (share(run.Recipe, survivalOf(run)) - more/m.Open)
			weights += weight
		}
		if weights > 0 {
			break
		}
	}
	return sum / weights, nil
}

// uncertainty is the standard error of [Model.wanted].
func (m Model) uncertainty() float64 { return math.Hypot(m.Residual, m.Spread) / m.Open }

// lengthening is by how much the share of open blocks falls if two trainings have learned equally much and one is longer.
func (m Model) lengthening(from, to int) float64 {
	return m.Epochs * math.Log(float64(to)/float64(from)) / m.Open
}

// regime is equal for runs of the same data, network and optimizer, however long they are and however their blocks close.
func regime(r recipes.Recipe) string {
	r.Rule, r.DeathRate, r.SurvivalProbabilities = "linear", 0, nil
	r = r.Canonical()
	r.Epochs, r.WarmupEpochs, r.Seed, r.EvaluateEvery, r.TestEvery, r.TestImages, r.Description = 0, 0, 0, 0, 0, 0, ""
	return fmt.Sprintf("%+v", r)
}

// plain reports whether blocks close as in the paper's Fig. 8: by the linear or the uniform rule, throughout the training, for
// a whole minibatch.
func plain(r recipes.Recipe) bool {
	return r.IsConstant() || (r.Rule == "linear" || r.Rule == "uniform") && r.Schedule().Kind == depth.Steady &&
		r.GatesPer == "minibatch" && r.ScaleAt == "test" && !r.FreezeClosed
}

// usable are the finished plain runs.
func usable(list []*runs.Run) []*runs.Run {
	return slices.DeleteFunc(slices.Clone(list), func(r *runs.Run) bool {
		return !r.Finished() || len(r.Rows) == 0 || !plain(r.Recipe)
	})
}

// byRegime groups runs by their regime, in the order of the first of each.
func byRegime(list []*runs.Run) [][]*runs.Run {
	return grouped(list, func(r *runs.Run) string { return regime(r.Recipe) })
}

// grouped groups values by a key, in the order of the first of each.
func grouped[T any](list []T, key func(T) string) [][]T {
	var groups [][]T
	index := map[string]int{}
	for _, x := range list {
		k := key(x)
		i, there := index[k]
		if !there {
			i = len(groups)
			index[k], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], x)
	}
	return groups
}

// byRate groups runs of one regime, length and rule by p_L. Unlike [outcome.BySetting] it keeps runs together that were evaluated
// more or less often.
func byRate(list []*runs.Run) [][]*runs.Run {
	return grouped(list, func(r *runs.Run) string { return fmt.Sprint(survivalOf(r)) })
}

// Fit fits a model to the finished runs of a list.
func Fit(list []*runs.Run) (Model, error) {
	var m Model
	var points [][3]float64 // ln epochs, open share and ln Learned of a setting, less their means over its regime
	var bests []float64
	regimes := 0
	for _, group := range byRegime(usable(list)) {
		settings, err := learnedOf(group)
		if err != nil {
			return m, err
		}
		var mean [3]float64
		for _, s := range settings {
			for k := range mean {
				mean[k] += s[k] / float64(len(settings))
			}
		}
		for _, s := range settings {
			points = append(points, [3]float64{s[0] - mean[0], s[1] - mean[1], s[2] - mean[2]})
		}
		if len(settings) > 0 {
			regimes++
		}
		var within []float64
		for _, s := range sweepsIn(group) {
			best := s.best()
			if len(s.settings) < 3 || best == 0 || best == len(s.settings)-1 {
				continue // a best p_L at the end of a sweep is only a bound
			}
			var sum float64
			for _, run := range s.settings[best] {
				learned, err := Learned(run)
				if err != nil {
					return m, err
				}
				sum += logLearned(learned) / float64(len(s.settings[best]))
			}
			within = append(within, sum)
		}
		if len(within) > 0 {
			bests = append(bests, outcome.Average(within...).Mean)
		}
	}
	// Least squares for two unknowns; the means of the regimes are out already.
	var ee, eo, oo, el, ol float64
	for _, p := range points {
		ee, eo, oo = ee+p[0]*p[0], eo+p[0]*p[1], oo+p[1]*p[1]
		el, ol = el+p[0]*p[2], ol+p[1]*p[2]
	}
	free := len(points) - regimes - 2
	if d := ee*oo - eo*eo; d > 1e-9 && free > 0 && len(bests) > 1 {
		m.Epochs, m.Open = (el*oo-ol*eo)/d, (ol*ee-el*eo)/d
	}
	if !(m.Epochs > 0 && m.Open > 0) {
		return m, fmt.Errorf("%d settings of %d regimes are too few to fit a model to: it needs two sweeps over p_L, and lengths",
			len(points), regimes)
	}
	var squares float64
	for _, p := range points {
		off := p[2] - m.Epochs*p[0] - m.Open*p[1]
		squares += off * off
	}
	m.Residual = math.Sqrt(squares / float64(free))
	best := outcome.Average(bests...)
	m.Best, m.Spread, m.Settings, m.Regimes = best.Mean, best.Deviation, len(points), len(bests)
	return m, nil
}

// learnedOf returns ln epochs, the open share and ln Learned of each setting of a regime that tells something, over its seeds.
func learnedOf(group []*runs.Run) (points [][3]float64, err error) {
	for _, setting := range grouped(group, func(r *runs.Run) string {
		return fmt.Sprint(r.Recipe.Epochs, r.Recipe.RuleName(), r.Recipe.DeathRate)
	}) {
		var values []float64
		for _, run := range setting {
			learned, err := Learned(run)
			if err != nil {
				return nil, err
			}
			if telling(learned) {
				values = append(values, logLearned(learned))
			}
		}
		if len(values) > 0 {
			r := setting[0].Recipe
			points = append(points, [3]float64{math.Log(float64(r.Epochs)), share(r, survivalOf(setting[0])), outcome.Average(values...).Mean})
		}
	}
	return points, nil
}

// swept is a recorded sweep over p_L: runs of one regime, length and rule.
type swept struct {
	recipe   recipes.Recipe // of its rule
	settings [][]*runs.Run  // by descending p_L, each with the seeds that all of them have, in ascending order
}

// sweepsIn finds the sweeps over two p_L or more among the runs of a regime. Constant depth belongs to the sweep of each rule.
func sweepsIn(group []*runs.Run) (list []swept) {
	constant, stochastic := outcome.Split(group)
	for _, sweep := range grouped(stochastic, func(r *runs.Run) string { return fmt.Sprint(r.Recipe.Epochs, r.Recipe.Rule) }) {
		s := swept{recipe: sweep[0].Recipe}
		for _, run := range constant {
			if run.Recipe.Epochs == s.recipe.Epochs {
				sweep = append(sweep, run)
			}
		}
		settings := byRate(sweep)
		for _, setting := range settings {
			setting = slices.DeleteFunc(slices.Clone(setting), func(r *runs.Run) bool {
				return slices.ContainsFunc(settings, func(other []*runs.Run) bool { return seedIn(other, r.Recipe.Seed) == nil })
			})
			slices.SortFunc(setting, func(a, b *runs.Run) int { return cmp.Compare(a.Recipe.Seed, b.Recipe.Seed) })
			if len(setting) > 0 {
				s.settings = append(s.settings, setting)
			}
		}
		slices.SortFunc(s.settings, func(a, b []*runs.Run) int { return cmp.Compare(survivalOf(b[0]), survivalOf(a[0])) })
		if len(s.settings) > 1 {
			list = append(list, s)
		}
	}
	return list
}

// seedIn returns the run with a seed, or nil.
func seedIn(list []*runs.Run, seed int64) *runs.Run {
	for _, run := range list {
		if run.Recipe.Seed == seed {
			return run
		}
	}
	return nil
}

// best is the index of the setting with the lowest mean validation error.
func (s swept) best() int {
	lowest, best := math.Inf(1), 0
	for i, setting := range s.settings {
		if mean := outcome.ValidationError.Known(setting).Mean; mean < lowest {
			lowest, best = mean, i
		}
	}
	return best
}
