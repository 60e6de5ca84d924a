package findrate

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

// Answer is what a search has found so far.
type Answer struct {
	Best      float64 // p_L, one of the candidates
	Low, High float64 // p_L within which others may be as good

	Wanted   float64          // p_L at which the model says that the whole training learns as much as the best ones do; 0: none
	Compared bool             // Best has the lowest validation error of several p_L at the whole length; else the model chose it
	Seeds    int              // behind that
	Constant outcome.Contrast // constant depth minus the best, points of the validation error, if Compared and it is not the best
	Points   []Point          // what was trained, longest first, and the candidates that were not trained at the whole length
	Spent    float64          // seconds

	// Next is what would tell more, and More how many seconds it takes; 0 where nothing would.
	Next string
	More float64
}

// Point is a p_L at a length of training.
type Point struct {
	Epochs     int
	Survival   float64
	StandsFor  float64 // p_L of a training of the whole length that learns as much, by the model; 0: of none
	Runs       []*runs.Run
	Validation outcome.Estimate // percent; N is 0 where nothing was trained
	Training   outcome.Estimate // percent, at the end
	Difference outcome.Contrast // validation error minus that of the best p_L at this length, points
	Role       string           // at the whole length: best, in range
}

// Answer says what these runs, one at least, have shown.
func (s Search) Answer(list []*runs.Run) (Answer, error) {
	if len(list) == 0 {
		return Answer{}, errors.New("nothing has been trained yet: start the search")
	}
	open, err := s.Model.wanted(list, s.Recipe.Epochs)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Spent: spent(list)}
	if open <= 1 {
		a.Wanted = survivalAt(s.Recipe, open)
	}
	near := func(p float64) bool { return math.Abs(share(s.Recipe, p)-open) <= s.Model.uncertainty() }
	a.Best = slices.MinFunc(s.Candidates, func(p, q float64) int {
		return cmp.Compare(math.Abs(share(s.Recipe, p)-open), math.Abs(share(s.Recipe, q)-open))
	})
	in := []float64{a.Best}
	settings := s.whole(list)
	if len(settings) > 1 {
		best := bestOf(settings)
		a.Best, a.Compared, a.Seeds = survivalOf(settings[best][0]), true, len(settings[best])
		in = []float64{a.Best}
		for i, setting := range settings {
			p := survivalOf(setting[0])
			if i == best {
				continue
			}
			contrast, err := outcome.ContrastOf(outcome.ValidationError, settings[best], setting)
			if err != nil {
				return a, err
			}
			if low, _ := contrast.Interval(); low <= 0 {
				in = append(in, p)
			}
			if p == 1 {
				a.Constant = contrast
			}
		}
	}
	if a.Seeds < 2 { // there are no intervals, so that the model says what is near
		for _, p := range s.Candidates {
			if near(p) {
				in = append(in, p)
			}
		}
	}
	a.Low, a.High = slices.Min(in), slices.Max(in)
	a.Points = s.points(list, a)
	s.more(&a, settings)
	return a, nil
}

// points are the rows of the table.
func (s Search) points(list []*runs.Run, a Answer) (points []Point) {
	var lengths []int
	for _, run := range list {
		lengths = append(lengths, run.Recipe.Epochs)
	}
	lengths = append(lengths, s.Recipe.Epochs)
	slices.Sort(lengths)
	lengths = slices.Compact(lengths)
	slices.Reverse(lengths)
	for _, epochs := range lengths {
		one := s
		one.Recipe.Epochs = epochs
		settings := one.whole(list)
		if len(settings) > 0 {
			best := settings[bestOf(settings)]
			for _, setting := range settings {
				p := Point{Epochs: epochs, Survival: survivalOf(setting[0]), Runs: setting,
					Validation: outcome.ValidationError.Known(setting), Training: training(setting)}
				p.Difference, _ = outcome.ContrastOf(outcome.ValidationError, best, setting) // of one regime: cannot fail
				points = append(points, p)
			}
		}
	}
	for _, p := range s.Candidates {
		if !slices.ContainsFunc(points, func(q Point) bool { return q.Epochs == s.Recipe.Epochs && q.Survival == p }) {
			nan := outcome.Estimate{Mean: math.NaN()}
			points = append(points, Point{Epochs: s.Recipe.Epochs, Survival: p, Validation: nan, Training: nan,
				Difference: outcome.Contrast{Difference: math.NaN(), StandardError: math.NaN(), Degrees: math.NaN()}})
		}
	}
	slices.SortStableFunc(points, func(p, q Point) int {
		if p.Epochs != q.Epochs {
			return q.Epochs - p.Epochs
		}
		return descending(p.Survival, q.Survival)
	})
	for i := range points {
		p := &points[i]
		if open := share(s.Recipe, p.Survival) - s.Model.lengthening(p.Epochs, s.Recipe.Epochs); open > share(s.Recipe, 1e-6) {
			p.StandsFor = survivalAt(s.Recipe, open)
		}
		switch {
		case p.Epochs != s.Recipe.Epochs:
		case p.Survival == a.Best:
			p.Role = "best"
		case p.Survival >= a.Low && p.Survival <= a.High:
			p.Role = "in range"
		}
	}
	return points
}

// training averages the training errors at the end of runs.
func training(list []*runs.Run) outcome.Estimate {
	var values []float64
	for _, run := range list {
		values = append(values, run.Rows[len(run.Rows)-1].TrainError)
	}
	return outcome.Average(values...)
}

// moreSeeds are as many as are worth naming: what needs more is a tie.
const moreSeeds = 30

// more finds out what would tell more: a comparison at the whole length, or more seeds of the best p_L and its nearest rival.
func (s Search) more(a *Answer, settings [][]*runs.Run) {
	whole := s.Recipe.Epochs
	if !a.Compared {
		const seeds = 3
		compared := map[float64]bool{a.Best: true, 1: true}
		for _, p := range s.Candidates {
			if p >= a.Low && p <= a.High {
				compared[p] = true
			}
		}
		for p := range compared {
			a.More += seeds * s.Cost(p, whole)
		}
		a.Next = fmt.Sprintf("compare %s at the whole %d epochs, with %d seeds each", namesOf(compared), whole, seeds)
		return
	}
	best := settings[bestOf(settings)]
	var rival []*runs.Run
	var nearest outcome.Contrast
	for _, setting := range settings {
		if p := survivalOf(setting[0]); p == a.Best || p < a.Low || p > a.High {
			continue
		}
		contrast, err := outcome.ContrastOf(outcome.ValidationError, best, setting)
		if err == nil && (rival == nil || contrast.Difference > nearest.Difference) { // the farthest of them is told apart first
			rival, nearest = setting, contrast
		}
	}
	if rival == nil {
		return
	}
	n, pair := nearest.Pairs, s.Cost(a.Best, whole)+s.Cost(survivalOf(rival[0]), whole)
	names := namesOf(map[float64]bool{a.Best: true, survivalOf(rival[0]): true})
	if n < 2 {
		a.Next, a.More = fmt.Sprintf("give %s a second and a third seed", names), 2*pair
		return
	}
	deviation := nearest.StandardError * math.Sqrt(float64(n))
	for seeds := n + 1; seeds <= moreSeeds; seeds++ {
		if outcome.StandardErrors(float64(seeds-1))*deviation/math.Sqrt(float64(seeds)) < nearest.Difference {
			a.Next, a.More = fmt.Sprintf("tell %s apart, with %d seeds in all if the difference stays", names, seeds), float64(seeds-n)*pair
			return
		}
	}
	a.Next = fmt.Sprintf("%s are so close that %d seeds would not tell them apart", names, moreSeeds)
}

// namesOf names p_L in descending order.
func namesOf(set map[float64]bool) string {
	var list []float64
	for p := range set {
		list = append(list, p)
	}
	slices.SortFunc(list, descending)
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = Name(p)
	}
	return say.Enumerate(words)
}

// Name is a p_L in words.
func Name(survival float64) string {
	if survival == 1 {
		return "constant depth"
	}
	return "p_L = " + say.Decimal(survival)
}

// String is the answer in words, a sentence a line.
func (a Answer) String() string {
	lines := []string{fmt.Sprintf("%s (--death-rate %s), ", Name(a.Best), say.Exact(deathRate(a.Best)))}
	if a.Best == 1 {
		lines[0] = "Constant depth (--death-rate 0), "
	}
	switch {
	case a.Low < a.High:
		lines[0] += fmt.Sprintf("and between %s and %s others may be as good.", say.Decimal(a.Low), say.Decimal(a.High))
	case a.Seeds > 1:
		lines[0] += "and each other one is clearly worse."
	default:
		lines[0] += "and no other candidate is within a standard error of the rule."
	}
	if a.Wanted > 0 {
		lines = append(lines, fmt.Sprintf("By how well the trainings learned their images, p_L = %.2f learns as much as the best ones do.", a.Wanted))
	} else {
		lines = append(lines, "Even constant depth will not have learned its images as well as the best trainings do: train for more epochs.")
	}
	if !a.Compared {
		lines = append(lines, "No two p_L were compared at the whole length.")
	} else {
		lines = append(lines, fmt.Sprintf("It has the lowest validation error at the whole length, of %d seed%s.", a.Seeds, say.Plural(a.Seeds)))
		if a.Best < 1 && a.Constant.Pairs > 0 {
			low, _ := a.Constant.Interval()
			verdict := "which may be chance"
			switch {
			case math.IsNaN(low):
				verdict = "of one seed, which may be chance"
			case low > 0:
				verdict = "which is more than chance"
			}
			lines = append(lines, fmt.Sprintf("Constant depth is behind it by %s points, %s.", a.Constant.Points(2), verdict))
		}
	}
	switch {
	case a.More > 0:
		lines = append(lines, fmt.Sprintf("Another %s would %s.", say.SpanOf(a.More), a.Next))
	case a.Next != "":
		lines = append(lines, strings.ToUpper(a.Next[:1])+a.Next[1:]+".")
	}
	return strings.Join(lines, "\n")
}
