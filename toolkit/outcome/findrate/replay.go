package findrate

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// budgetPart is the part of a sweep's time that a replayed search may take.
const budgetPart = 1.0 / 3

// Case is a search that was replayed on recorded runs: in place of each training there is the recorded one.
type Case struct {
	Recipe    recipes.Recipe // of the regime, length and rule
	Survivals []float64      // of the sweep, descending
	Seeds     int            // that all of them have

	Recorded  float64   // p_L with the lowest validation error in the sweep
	Pick      float64   // the search's
	Low, High float64   // the range of its answer
	Compared  bool      // whether it compared p_L at the whole length
	Steps     int       // from Pick to Recorded, in the order of Survivals
	Lost      float64   // validation error of Pick minus that of Recorded in the sweep, points
	errors    []float64 // mean validation errors of Survivals in the sweep
	Part      float64   // of the sweep's time that the search took
	Lengths   []int     // epochs of each training that it made, ascending
}

// Replay searches for the p_L of each recorded sweep over p_L, with a third of its time: of each regime, length and rule with
// three p_L or more, or with two and several seeds. Constant depth belongs to the sweep of each rule, and a sweep has the seeds
// that all of its p_L have. The model is fitted without the sweep's regime. The search can only train what is recorded: the
// sweep itself, and shorter trainings of its regime. Runs of notebooks and of other searches are left out.
func Replay(list []*runs.Run) ([]Case, error) {
	list = slices.DeleteFunc(usable(list), func(r *runs.Run) bool { // a reader's own are no records
		return runs.OfNotebook(r.Name) || strings.HasPrefix(r.Name, Prefix)
	})
	var cases []Case
	for _, group := range byRegime(list) {
		others := slices.DeleteFunc(slices.Clone(list), func(r *runs.Run) bool { return regime(r.Recipe) == regime(group[0].Recipe) })
		for _, sweep := range sweepsIn(group) {
			if n := len(sweep.settings); n < 3 && (n < 2 || len(sweep.settings[0]) < 2) {
				continue
			}
			model, err := Fit(others)
			if err != nil {
				return nil, err
			}
			c, err := replay(sweep, group, model)
			if err != nil {
				return nil, err
			}
			if len(c.Lengths) > 0 {
				cases = append(cases, c)
			}
		}
	}
	slices.SortStableFunc(cases, func(a, b Case) int {
		return cmp.Or(-cmp.Compare(min(len(a.Survivals), 3), min(len(b.Survivals), 3)),
			strings.Compare(outcome.DatasetName(a.Recipe), outcome.DatasetName(b.Recipe)), cmp.Compare(a.Recipe.Depth, b.Recipe.Depth),
			cmp.Compare(a.Recipe.Epochs, b.Recipe.Epochs))
	})
	return cases, nil
}

// replay searches for the p_L of one sweep among the runs of its regime.
func replay(sweep swept, group []*runs.Run, model Model) (Case, error) {
	// The recorded trainings of the sweep's rule, by length and p_L, in ascending order of the seeds.
	recorded := map[int]map[float64][]*runs.Run{}
	add := func(run *runs.Run) {
		if recorded[run.Recipe.Epochs] == nil {
			recorded[run.Recipe.Epochs] = map[float64][]*runs.Run{}
		}
		at := recorded[run.Recipe.Epochs]
		at[survivalOf(run)] = append(at[survivalOf(run)], run)
	}
	whole := sweep.recipe.Epochs
	c := Case{Recipe: sweep.recipe, Seeds: len(sweep.settings[0])}
	total := 0.0
	for _, setting := range sweep.settings {
		c.Survivals = append(c.Survivals, survivalOf(setting[0]))
		for _, run := range setting {
			add(run)
			total += spent([]*runs.Run{run})
		}
	}
	for _, run := range group {
		if e := run.Recipe.Epochs; e < whole && 8*e >= whole && (run.Recipe.IsConstant() || run.Recipe.Rule == sweep.recipe.Rule) {
			add(run)
		}
	}
	var lengths []int
	for epochs, at := range recorded {
		lengths = append(lengths, epochs)
		for _, list := range at {
			slices.SortFunc(list, func(a, b *runs.Run) int { return cmp.Compare(a.Recipe.Seed, b.Recipe.Seed) })
		}
	}
	slices.Sort(lengths)
	s := Search{Recipe: sweep.recipe, Candidates: c.Survivals, Budget: total * budgetPart, Model: model, Lengths: lengths,
		Cost: func(survival float64, epochs int) float64 {
			list := recorded[epochs][survival]
			return spent(list) / float64(len(list)) // NaN where none is recorded, which no search asks for
		},
		Offered: func(epochs int) (list []float64) {
			for survival := range recorded[epochs] {
				list = append(list, survival)
			}
			slices.SortFunc(list, descending)
			return list
		}}
	var trained []*runs.Run
	for {
		round, ok := s.Next(trained)
		if !ok {
			break
		}
		before := len(trained)
		for _, p := range round.Survivals {
			if list := recorded[round.Epochs][p]; round.Seed < len(list) {
				trained = append(trained, list[round.Seed])
			}
		}
		if len(trained) == before { // no further seed is recorded
			break
		}
	}
	if len(trained) == 0 { // the budget is less than one training
		return c, nil
	}
	answer, err := s.Answer(trained)
	if err != nil {
		return c, err
	}
	best := sweep.best()
	pick := slices.Index(c.Survivals, answer.Best)
	c.Recorded, c.Pick, c.Low, c.High, c.Compared = c.Survivals[best], answer.Best, answer.Low, answer.High, answer.Compared
	c.Steps = max(pick-best, best-pick)
	for _, setting := range sweep.settings {
		c.errors = append(c.errors, outcome.ValidationError.Known(setting).Mean)
	}
	c.Lost = c.errors[pick] - c.errors[best]
	c.Part = spent(trained) / total
	for _, run := range trained {
		c.Lengths = append(c.Lengths, run.Recipe.Epochs)
	}
	slices.Sort(c.Lengths)
	return c, nil
}

// lengths are the different ones of [Case.Lengths].
func (c Case) lengths() []int { return slices.Compact(slices.Clone(c.Lengths)) }

// columns are those of a table of cases.
var columns = []say.Column[Case]{
	{Key: "data", Head: "Data", Value: func(c Case) any { return outcome.DatasetName(c.Recipe) }},
	{Key: "depth", Head: "Layers", Right: true, Value: func(c Case) any { return c.Recipe.Depth }},
	{Key: "epochs", Head: "Epochs", Right: true, Value: func(c Case) any { return c.Recipe.Epochs }},
	{Key: "rule", Head: "Rule", Value: func(c Case) any { return c.Recipe.Rule }},
	{Key: "survivals", Head: "Recorded p_L", Value: func(c Case) any { return decimals(c.Survivals) }},
	{Key: "seeds", Head: "Seeds", Right: true, Value: func(c Case) any { return c.Seeds }},
	{Key: "recorded_best", Head: "Best", Right: true, Value: func(c Case) any { return c.Recorded }},
	{Key: "pick", Head: "Pick", Right: true, Value: func(c Case) any { return c.Pick }},
	{Key: "low", Value: func(c Case) any { return c.Low }},
	{Key: "high", Head: "Range", Value: func(c Case) any { return c.High },
		Shown: func(c Case) string { return fmt.Sprintf("%g to %g", c.Low, c.High) }},
	{Key: "steps", Head: "Steps apart", Right: true, Value: func(c Case) any { return c.Steps }},
	{Key: "lost", Head: "Lost (points)", Right: true, Format: "%.2f", Value: func(c Case) any { return c.Lost }},
	{Key: "compared", Head: "Chosen by", Value: func(c Case) any { return c.Compared },
		Shown: func(c Case) string { return map[bool]string{true: "error", false: "model"}[c.Compared] }},
	{Key: "trainings", Head: "Trainings", Right: true, Value: func(c Case) any { return len(c.Lengths) }},
	{Key: "lengths", Head: "of epochs", Value: func(c Case) any { return strings.Trim(fmt.Sprint(c.lengths()), "[]") }},
	{Key: "time", Head: "Time (%)", Right: true, Format: "%.0f", Value: func(c Case) any { return 100 * c.Part }},
}

// WriteCases writes a line for each case, in a format of [say.TableFormats].
func WriteCases(w io.Writer, format string, cases []Case) error {
	return say.WriteTable(w, format, columns, cases)
}

// Markdown is the table of cases with their [Summary], for a page.
func Markdown(cases []Case) string {
	lines := [][]string{{"Data", "Layers", "Epochs", "Rule", "Recorded p_L", "Seeds", "Best", "Pick", "Range", "Lost (points)",
		"Trainings", "Time"}}
	for _, c := range cases {
		lines = append(lines, []string{outcome.DatasetName(c.Recipe), fmt.Sprint(c.Recipe.Depth), fmt.Sprint(c.Recipe.Epochs), c.Recipe.Rule,
			decimals(c.Survivals), fmt.Sprint(c.Seeds), say.Exact(c.Recorded), say.Exact(c.Pick), fmt.Sprintf("%g to %g", c.Low, c.High),
			fmt.Sprintf("%.2f", c.Lost), fmt.Sprintf("%d of %s epochs", len(c.Lengths), say.Enumerate(c.lengths())),
			fmt.Sprintf("%.0f %%", 100*c.Part)})
	}
	return say.Markdown(say.MarkdownTable(lines) + "\n" + Summary(cases) + "\n")
}

func decimals(list []float64) string {
	words := make([]string, len(list))
	for i, x := range list {
		words[i] = say.Exact(x)
	}
	return strings.Join(words, " ")
}

// Summary says how good the picks are, of sweeps with three p_L or more and of those with two, and how good is one p_L for all.
func Summary(cases []Case) string {
	var lines []string
	for _, several := range []bool{true, false} {
		n, exact, near, within, part := 0, 0, 0, 0, 0.0
		for _, c := range cases {
			if (len(c.Survivals) > 2) != several {
				continue
			}
			n++
			if c.Steps == 0 {
				exact++
			}
			if c.Steps <= 1 {
				near++
			}
			if c.Recorded >= c.Low && c.Recorded <= c.High {
				within++
			}
			part = max(part, c.Part)
		}
		switch {
		case n == 0:
		case several:
			lines = append(lines, fmt.Sprintf("Of %d sweeps over three p_L or more, the pick is the best one in %d and at most one step away in "+
				"%d, and the range of the answer has the best one in %d; each search took %.0f %% of the sweep's time or less.",
				n, exact, near, within, 100*part))
		default:
			lines = append(lines, fmt.Sprintf("Of %d sweeps over two p_L, the pick is the better one in %d, in %.0f %% of the time or less.",
				n, exact, 100*part))
		}
	}
	if len(cases) > 0 {
		var lost []float64
		for _, c := range cases {
			lost = append(lost, c.Lost)
		}
		fixed, least := bestForAll(cases)
		lines = append(lines, fmt.Sprintf("The picks lose %.1f points on average, and %.1f at most. The best single p_L for all of them, which "+
			"nobody knows before, is %s: it loses %.1f points on average.", outcome.Average(lost...).Mean, slices.Max(lost),
			say.Decimal(fixed), least))
	}
	return strings.Join(lines, "\n")
}

// bestForAll is the p_L that loses the least points on average if it is taken for all cases, or what is recorded nearest to it.
func bestForAll(cases []Case) (survival, lost float64) {
	lost = math.Inf(1)
	for _, p := range Candidates {
		var each []float64
		for _, c := range cases {
			nearest := slices.MinFunc(c.Survivals, func(a, b float64) int { return cmp.Compare(math.Abs(a-p), math.Abs(b-p)) })
			each = append(each, c.errors[slices.Index(c.Survivals, nearest)]-slices.Min(c.errors))
		}
		if mean := outcome.Average(each...).Mean; mean < lost {
			survival, lost = p, mean
		}
	}
	return survival, lost
}
