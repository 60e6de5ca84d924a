package findrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
	"stochdepth/toolkit/runs/sweep"
)

// Clock is what a training takes, in seconds: to start, and for each epoch a part whatever the gates are, and a part for open
// blocks.
type Clock struct {
	Start  float64 `json:"start_seconds"`
	Closed float64 `json:"closed_epoch_seconds"` // of an epoch with every block closed
	Open   float64 `json:"open_epoch_seconds"`   // more, with every block open
}

// NewClock makes a clock of estimates: of constant depth for one length and for twice that, and of the other end.
func NewClock(r recipes.Recipe, once, twice, least float64, leastSurvival float64) Clock {
	epochs := float64(r.Epochs)
	start := max(0, 2*once-twice)
	all, few := (once-start)/epochs, (least-start)/epochs
	open := min(max(0, (all-few)/(1-share(r, leastSurvival))), all)
	return Clock{Start: start, Closed: all - open, Open: open}
}

// Seconds is the time of a training.
func (c Clock) Seconds(r recipes.Recipe, survival float64, epochs int) float64 {
	return c.Start + float64(epochs)*(c.Closed+c.Open*share(r, survival))
}

// asked is what a search's folder says of it, in asked.json.
type asked struct {
	Recipe     recipes.Recipe `json:"recipe"`
	Candidates []float64      `json:"candidates"`
	Clock      *Clock         `json:"clock,omitempty"`
}

// Prefix begins the names of searches' folders.
const Prefix = "find-rate-"

const (
	askedFile = "asked.json"
	roundFile = "round-%d.json"
)

// Work is a search in a folder: what was asked for, the sweep file of each round, and below each round's name its runs.
type Work struct {
	Name  string // of the folder, below root
	root  string // the folder of all runs
	asked asked
}

// Open opens the folder of a search below root, the folder of all runs, or prepares a new one, which [Work.SetClock] writes. A
// folder with another search, or with something else, is an error.
func Open(root, name string, recipe recipes.Recipe, candidates []float64) (*Work, error) {
	if err := runs.CheckName(name); err != nil {
		return nil, err
	}
	recipe.DeathRate, recipe.Description = 0, ""
	w := &Work{Name: name, root: root, asked: asked{Recipe: recipe, Candidates: slices.Clone(candidates)}}
	slices.SortFunc(w.asked.Candidates, descending)
	if err := w.Search(1, Recorded).Check(); err != nil {
		return nil, err
	}
	data, err := files.ReadText(w.path(askedFile), files.LargestText)
	if errors.Is(err, fs.ErrNotExist) {
		if entries, _ := os.ReadDir(w.path("")); len(entries) > 0 {
			return nil, fmt.Errorf("the folder %s holds something else than a search: give this one another name", w.path(""))
		}
		return w, nil
	}
	if err != nil {
		return nil, err
	}
	var there asked
	if err := json.Unmarshal(data, &there); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): give this search another name", w.path(askedFile), say.JSONError(err))
	}
	changes := recipes.Differences(there.Recipe, recipe)
	if !slices.Equal(there.Candidates, w.asked.Candidates) {
		changes = append(changes, fmt.Sprintf("candidates: %s, %s", decimals(there.Candidates), decimals(w.asked.Candidates)))
	}
	if len(changes) > 0 {
		return nil, fmt.Errorf("the folder %s holds the search for another training (%s; the folder's value first): give this one another name",
			w.path(""), strings.Join(changes, "; "))
	}
	w.asked.Clock = there.Clock
	return w, nil
}

func (w *Work) path(name string) string { return filepath.Join(w.root, w.Name, name) }

// Search is the search with a budget in seconds.
func (w *Work) Search(budget float64, model Model) Search {
	clock := Clock{Closed: 1, Open: 1}
	if w.asked.Clock != nil {
		clock = *w.asked.Clock
	}
	pace := 1.0
	if list, _, err := w.Runs(); err == nil && len(list) > 0 { // as fast as the trainings so far
		expected := 0.0
		for _, run := range list {
			expected += clock.Seconds(w.asked.Recipe, survivalOf(run), run.Recipe.Epochs)
		}
		pace = spent(list) / expected
	}
	return Search{Recipe: w.asked.Recipe, Candidates: w.asked.Candidates, Budget: budget, Model: model,
		Cost: func(survival float64, epochs int) float64 {
			return pace * clock.Seconds(w.asked.Recipe, survival, epochs)
		}}
}

// Timed reports whether the folder knows what a training takes.
func (w *Work) Timed() bool { return w.asked.Clock != nil }

// SetClock writes down what was asked for, and what a training takes.
func (w *Work) SetClock(c Clock) error {
	w.asked.Clock = &c
	data, err := json.MarshalIndent(w.asked, "", "  ")
	if err != nil {
		return err
	}
	return files.Make(w.path(askedFile), append(data, '\n'))
}

// Probes are the jobs whose times make a clock, see [Work.ClockOf].
func (w *Work) Probes() *sweep.Sweep {
	s := &sweep.Sweep{Name: runs.Dashed(w.Name)}
	r := w.asked.Recipe
	add := func(epochs int, survival float64) {
		recipe := At(r, epochs)
		recipe.DeathRate = deathRate(survival)
		s.Jobs = append(s.Jobs, sweep.Job{Index: len(s.Jobs), Name: w.Name, Recipe: recipe})
	}
	add(r.Epochs, 1)
	add(2*r.Epochs, 1)
	add(r.Epochs, slices.Min(w.asked.Candidates))
	return s
}

// ClockOf is the clock of the estimates of [Work.Probes].
func (w *Work) ClockOf(list []sweep.Estimate) Clock {
	return NewClock(w.asked.Recipe, list[0].Time.Seconds(), list[1].Time.Seconds(), list[2].Time.Seconds(),
		slices.Min(w.asked.Candidates))
}

// With is the search with another clock, which is not written down.
func (w *Work) With(c Clock) *Work {
	other := *w
	other.asked.Clock = &c
	return &other
}

// rounds are the sweeps of the rounds so far.
func (w *Work) rounds() (list []*sweep.Sweep, err error) {
	for {
		path := w.path(fmt.Sprintf(roundFile, len(list)+1))
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return list, nil
		}
		s, err := sweep.Read(path)
		if err != nil {
			return nil, err
		}
		s.Name = path // which the commands of sweeps take
		for i := range s.Jobs {
			s.Jobs[i].Recipe.Description = fmt.Sprintf("Of stochdepth find-rate, %s: a training of %d epochs", w.Name, s.Jobs[i].Recipe.Epochs)
		}
		list = append(list, s)
	}
}

// Runs returns the finished runs of all rounds, and the round that is not done, or nil.
func (w *Work) Runs() (list []*runs.Run, pending *sweep.Sweep, err error) {
	rounds, err := w.rounds()
	if err != nil {
		return nil, nil, err
	}
	for _, s := range rounds {
		for _, status := range s.Status(w.root) {
			if status.State == sweep.Done {
				list = append(list, status.Run)
			} else {
				pending = s
			}
		}
	}
	return list, pending, nil
}

// Spent is the time of all runs so far, finished or not.
func (w *Work) Spent() time.Duration {
	var begun []*runs.Run
	rounds, _ := w.rounds()
	for _, s := range rounds {
		for _, status := range s.Status(w.root) {
			if status.Run != nil {
				begun = append(begun, status.Run)
			}
		}
	}
	return time.Duration(spent(begun) * float64(time.Second))
}

// Add writes the sweep file of a round, and returns its sweep.
func (w *Work) Add(r Round) (*sweep.Sweep, error) {
	before, err := w.rounds()
	if err != nil {
		return nil, err
	}
	n := len(before) + 1
	rates := make([]float64, len(r.Survivals))
	for i, p := range r.Survivals {
		rates[i] = deathRate(p)
	}
	recipe := At(w.asked.Recipe, r.Epochs)
	data, err := json.MarshalIndent(map[string]any{
		"description": fmt.Sprintf("Round %d of stochdepth find-rate, %s: whole trainings of %d of the %d epochs", n, w.Name, r.Epochs,
			w.asked.Recipe.Epochs),
		"name":   fmt.Sprintf("%s/round-%d", w.Name, n),
		"recipe": recipe,
		"grid":   map[string]any{"death_rate": rates, "seed": []int64{recipe.Seed + int64(r.Seed)}},
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := files.Make(w.path(fmt.Sprintf(roundFile, n)), append(data, '\n')); err != nil {
		return nil, err
	}
	after, err := w.rounds()
	if err != nil {
		return nil, err
	}
	return after[n-1], nil
}

// WritePoints writes the trainings of an answer, and the candidates that were not trained at the whole length, a line for each
// p_L and length, in a format of [say.TableFormats].
func WritePoints(w io.Writer, format string, a Answer) error {
	unknown := func(x float64) float64 {
		if x == 0 {
			return math.NaN()
		}
		return x
	}
	return say.WriteTable(w, format, []say.Column[Point]{
		{Key: "epochs", Head: "Epochs", Right: true, Value: func(p Point) any { return p.Epochs }},
		{Key: "survival", Head: "p_L", Right: true, Value: func(p Point) any { return p.Survival }},
		{Key: "stands_for", Head: "stands for", Right: true, Format: "%.2f", Value: func(p Point) any { return unknown(p.StandsFor) }},
		{Key: "seeds", Head: "Seeds", Right: true, Value: func(p Point) any { return len(p.Runs) }},
		{Key: "validation_error", Head: "Validation (%)", Right: true, Value: func(p Point) any { return p.Validation.Mean },
			Shown: func(p Point) string { return p.Validation.String() }},
		{Key: "training_error", Head: "Training (%)", Right: true, Value: func(p Point) any { return p.Training.Mean },
			Shown: func(p Point) string { return p.Training.String() }},
		{Key: "difference", Head: "Behind the best (points)", Right: true, Value: func(p Point) any { return p.Difference.Difference },
			Shown: func(p Point) string {
				if math.IsNaN(p.Difference.Difference) {
					return "-"
				}
				return p.Difference.Points(2)
			}},
		{Key: "margin", Value: func(p Point) any { return p.Difference.Margin() }},
		{Key: "answer", Head: "Answer", Value: func(p Point) any { return p.Role }},
	}, a.Points)
}
