package findrate

import (
	"math"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// world is a regime in which the model holds: a training of any length has the lowest validation error where it has learned as
// much as Recorded.Best says.
type world struct {
	recipe recipes.Recipe
	best   float64 // p_L of the whole training
	noise  float64 // of the validation error, points
}

func newWorld(t *testing.T, epochs int, best, noise float64) world {
	t.Helper()
	r, err := recipes.Preset("shapes")
	require.NoError(t, err)
	r.Epochs, r.DeathRate = epochs, 0
	return world{r, best, noise}
}

// seconds is the time of a training.
func (w world) seconds(survival float64, epochs int) float64 {
	return 2 + float64(epochs)*(0.1+share(w.recipe, survival))
}

// train returns the run of a training.
func (w world) train(survival float64, epochs int, seed int64) *runs.Run {
	r := At(w.recipe, epochs)
	r.DeathRate, r.Seed = deathRate(survival), seed
	open := share(w.recipe, w.best) + Recorded.lengthening(epochs, w.recipe.Epochs) // of the best p_L at this length
	off := share(w.recipe, survival) - open
	random := rand.New(rand.NewSource(seed*1000 + int64(100*survival)))
	validation := 20 + 40*off*off + 2*float64(seed%3) + w.noise*random.NormFloat64()
	learned := math.Exp(Recorded.Best + Recorded.Open*off)
	row := runs.Row{Epoch: float64(epochs), Step: int64(epochs), TrainError: validation * math.Exp(-learned), ValidationError: validation,
		TestError: math.NaN(), Seconds: w.seconds(survival, epochs)}
	return &runs.Run{Name: "it", Recipe: r, Rows: []runs.Row{row}}
}

func (w world) search(budget float64) Search {
	return Search{Recipe: w.recipe, Candidates: Candidates, Budget: budget, Cost: w.seconds, Model: Recorded}
}

// find trains until the search ends.
func (w world) find(s Search) (list []*runs.Run, rounds []Round) {
	for {
		round, ok := s.Next(list)
		if !ok {
			return list, rounds
		}
		rounds = append(rounds, round)
		for _, p := range round.Survivals {
			list = append(list, w.train(p, round.Epochs, w.recipe.Seed+int64(round.Seed)))
		}
	}
}

// Where the model holds, a search finds the best p_L in less than a third of the time of a sweep with three seeds, and never
// spends more than its budget; with half of that it is a step away at most.
func TestSearchFindsTheBest(t *testing.T) {
	for _, best := range Candidates {
		w := newWorld(t, 100, best, 0.01)
		sweep := 0.0
		for _, p := range Candidates {
			sweep += 3 * w.seconds(p, 100)
		}
		s := w.search(sweep / 3)
		list, rounds := w.find(s)
		answer, err := s.Answer(list)
		require.NoError(t, err)
		require.InDelta(t, best, answer.Best, 1e-9)
		require.True(t, answer.Low <= best && best <= answer.High, "%v to %v", answer.Low, answer.High)
		require.True(t, answer.Compared)
		require.Equal(t, []int{25, 50, 100}, []int{rounds[0].Epochs, rounds[1].Epochs, rounds[2].Epochs})
		require.LessOrEqual(t, spent(list), s.Budget)

		s.Budget /= 4
		list, _ = w.find(s)
		answer, err = s.Answer(list)
		require.NoError(t, err)
		require.InDelta(t, best, answer.Best, 0.1+1e-9)
		require.LessOrEqual(t, spent(list), s.Budget)
		require.False(t, answer.Compared, "the budget is not enough for the whole length")
		require.Contains(t, answer.String(), "No two p_L were compared at the whole length")
		require.Regexp(t, `\nAnother .* would compare .* at the whole 100 epochs, with 3 seeds each\.$`, answer.String())
	}
}

// The rounds follow from the trainings alone: a search that begins anew with them goes on as it would have.
func TestSearchGoesOn(t *testing.T) {
	w := newWorld(t, 80, 0.6, 0.1)
	s := w.search(1000)
	list, rounds := w.find(s)
	require.Equal(t, Round{Epochs: 20, Survivals: []float64{1, 0.9}}, rounds[0], "which stand for lower p_L of a longer training")
	done := 0
	for _, round := range rounds {
		next, ok := s.Next(list[:done])
		require.True(t, ok)
		require.Equal(t, round, next)
		done += len(round.Survivals)
	}
	require.Equal(t, 1, rounds[len(rounds)-1].Seed, "a second seed where it matters")
	_, more := s.Next(list)
	require.False(t, more)
	s.Budget *= 2
	next, more := s.Next(list)
	require.True(t, more)
	require.Equal(t, 2, next.Seed)
}

// A p_L that is clearly worse gets no further seed, and the answer says so.
func TestClearAnswer(t *testing.T) {
	w := newWorld(t, 80, 0.6, 0.01)
	s := w.search(1e5)
	list, rounds := w.find(s)
	answer, err := s.Answer(list)
	require.NoError(t, err)
	require.Less(t, rounds[len(rounds)-1].Seed, 4)
	lines := strings.Split(answer.String(), "\n")
	require.Equal(t, "p_L = 0.6 (--death-rate 0.4), and each other one is clearly worse.", lines[0])
	require.Equal(t, "By how well the trainings learned their images, p_L = 0.60 learns as much as the best ones do.", lines[1])
	require.Regexp(t, `^It has the lowest validation error at the whole length, of \d seeds\.$`, lines[2])
	require.Regexp(t, `^Constant depth is behind it by \+\d.* points, which is more than chance\.$`, lines[3])
	require.Len(t, lines, 4, "nothing more to find out")

	early := w.train(1, 80, 1)
	early.Rows[0].TrainError = 0.9 * early.Rows[0].ValidationError
	answer, err = w.search(1).Answer([]*runs.Run{early})
	require.NoError(t, err)
	require.Equal(t, 1., answer.Best)
	require.Contains(t, answer.String(), "\nEven constant depth will not have learned its images as well as the best trainings do: ")
}

func TestAt(t *testing.T) {
	r, err := recipes.Preset("shapes")
	require.NoError(t, err)
	r.Epochs, r.WarmupEpochs, r.WarmupRate, r.EvaluateEvery, r.EMA = 200, 10, 0.01, 160, 0.99
	short := At(r, 50)
	require.NoError(t, short.Validate())
	require.Equal(t, []int{100, 150}, r.RateDrops())
	require.Equal(t, []int{25, 38}, short.RateDrops(), "at the same parts of the training")
	require.Equal(t, 3, short.WarmupEpochs)
	require.Equal(t, 40, short.EvaluateEvery)
	require.InDelta(t, 0.9606, short.EMA, 1e-4)
	require.NoError(t, At(r, 1).Validate())
}

func TestSearchRefuses(t *testing.T) {
	w := newWorld(t, 60, 0.6, 0)
	for want, change := range map[string]func(s *Search){
		"each block its own survival probability": func(s *Search) {
			s.Recipe.Rule, s.Recipe.SurvivalProbabilities = "list", []float64{1}
		},
		"shortcut none cannot close blocks":               func(s *Search) { s.Recipe.Shortcut = "none" },
		"begins with the weights of mine":                 func(s *Search) { s.Recipe.From = "mine" },
		"1 candidates are nothing to choose from":         func(s *Search) { s.Candidates = []float64{1} },
		"the candidate 1.5 is no p_L: it must be above 0": func(s *Search) { s.Candidates = []float64{1.5, 1} },
		"the candidate 0.5 is there twice":                func(s *Search) { s.Candidates = []float64{0.5, 0.5} },
		"the candidate 0.99: gates_per \"subbatch\" rounds survival probabilities to eighths": func(s *Search) {
			s.Recipe.GatesPer, s.Recipe.Rule, s.Candidates = "subbatch", "uniform", []float64{0.99, 0.5}
		},
		"the candidates 0.8 and 0.7 are one network": func(s *Search) {
			s.Recipe.GatesPer, s.Recipe.Rule, s.Candidates = "subbatch", "uniform", []float64{0.8, 0.7}
		},
		`rule "liner" is unknown (did you mean "linear"?)`: func(s *Search) { s.Recipe.Rule = "liner" },
	} {
		s := w.search(1)
		change(&s)
		require.ErrorContains(t, s.Check(), want)
	}
	s := w.search(5)
	require.NoError(t, s.Check())
	require.EqualError(t, s.CheckBudget(), "a budget of 5 s is too small: an epoch of each of the 7 candidates takes about 21 s, and "+
		"3 min 57 s would be enough for rounds up to the whole 60 epochs")
	s.Budget = 21
	require.NoError(t, s.CheckBudget())
	_, err := s.Answer(nil)
	require.EqualError(t, err, "nothing has been trained yet: start the search")
}
