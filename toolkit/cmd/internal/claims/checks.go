package claims

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"stochdepth/toolkit/figures/gallery"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Check is what must hold for a claim: all kinds that are set. Runs are named as in data/figures.json, with asterisks, and
// the runs of each list, except that of Best, differ only in the seed. Errors are in percent, at the epoch with the lowest
// validation error, and means are over seeds: if two lists are compared, over the seeds common to both, if there are any,
// as in the tables.
type Check struct {
	Lower   *Lower   `json:"lower,omitempty"`
	Between *Between `json:"between,omitempty"`
	Faster  *Faster  `json:"faster,omitempty"`
	Wins    *Wins    `json:"wins,omitempty"`
	Best    *Best    `json:"best,omitempty"`
	Reaches *Reaches `json:"reaches,omitempty"`
	Pruned  *Pruned  `json:"pruned,omitempty"`
	Shown   *Shown   `json:"shown,omitempty"`
}

// Quantity is the name in package outcome of the compared quantity: "test error", which is the default, "validation error",
// "training loss" (of the last epoch) or "training seconds".
type Quantity string

// find returns the quantity with this name.
func (q Quantity) find() (outcome.Quantity, error) {
	known := []outcome.Quantity{outcome.TestError, outcome.ValidationError, outcome.TrainingLoss, outcome.TrainingTime}
	for _, quantity := range known {
		if quantity.Name == string(cmp.Or(q, "test error")) {
			return quantity, nil
		}
	}
	return known[0], fmt.Errorf("its check names the unknown quantity %q: "+
		"use test error, validation error, training loss or training seconds", q)
}

// seconds is the quantity of [Faster].
var seconds = Quantity(outcome.TrainingTime.Name)

// Lower holds if the mean of some runs is below that of others.
type Lower struct {
	Quantity Quantity `json:"quantity,omitempty"`
	Runs     []string `json:"runs"`
	Than     []string `json:"than"`
	By       float64  `json:"by,omitempty"`    // the least difference, in percentage points
	Clear    bool     `json:"clear,omitempty"` // beyond chance, as bold differences in the tables: see outcome.Contrast
}

// Between holds if a mean, or a difference of two means, is neither below Low nor above High.
type Between struct {
	Quantity Quantity `json:"quantity,omitempty"`
	Runs     []string `json:"runs"`
	Minus    []string `json:"minus,omitempty"` // subtract their mean
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
}

// Faster holds if some runs trained in less time than others (see outcome.TimeSaved): by at least Percent of the others'
// time, and, if AtMost is set, by at most AtMost percent.
type Faster struct {
	Runs    []string `json:"runs"`
	Than    []string `json:"than"`
	Percent float64  `json:"percent,omitempty"`
	AtMost  float64  `json:"at_most,omitempty"`
}

// Wins holds if some runs are below others in exactly Wins of Seeds pairs of equal seeds, and there are no other runs.
type Wins struct {
	Quantity Quantity `json:"quantity,omitempty"`
	Runs     []string `json:"runs"`
	Than     []string `json:"than"`
	Wins     int      `json:"wins"`
	Seeds    int      `json:"seeds"`
}

// Best holds if the setting of Runs has the lowest mean of all settings in Among.
type Best struct {
	Quantity Quantity `json:"quantity,omitempty"`
	Runs     []string `json:"runs"`
	Among    []string `json:"among"`
}

// Reaches holds if exactly Reached of Seeds runs come down to the lowest validation error of the goal's run with the same seed, on
// average after at most StepsPercent of its steps until then (see outcome.Reach).
type Reaches struct {
	Runs         []string `json:"runs"`
	Goal         []string `json:"goal"`
	Reached      int      `json:"reached"`
	Seeds        int      `json:"seeds"`
	StepsPercent float64  `json:"steps_percent,omitempty"` // 0: of no matter how many
}

// Pruned holds if networks that lost blocks until this many are left, or that were trained with as many, have a lower mean test
// error than others with as many. The names are those of records of package pruned.
type Pruned struct {
	Records []string `json:"records"`
	Than    []string `json:"than"`
	Blocks  int      `json:"blocks"`
	By      float64  `json:"by,omitempty"` // the least difference, in percentage points
}

// Shown holds if the notebook that makes the claim shows these texts in its outputs. It serves for the runs of notebooks,
// which are not kept.
type Shown []string

// verify returns the failures of a check, each as a part of a sentence.
func (c Check) verify(r records, page text) (failures []error) {
	for _, kind := range []interface{ verify(records, text) error }{c.Lower, c.Between, c.Faster, c.Wins, c.Best, c.Reaches, c.Pruned, c.Shown} {
		if reflect.ValueOf(kind).IsNil() {
			continue
		}
		if err := kind.verify(r, page); err != nil {
			failures = append(failures, err)
		}
	}
	return failures
}

// rounding is the error that rounding may cause in sums.
const rounding = 1e-9

func (c *Lower) verify(r records, _ text) error {
	low, high, err := r.pair(c.Quantity, c.Runs, c.Than)
	if err != nil {
		return err
	}
	difference := high.Mean - low.Mean
	means := fmt.Sprintf("%s is %s, and of %s %s", low.title(), low, high.list(), high)
	switch {
	case !(difference > 0):
		return fmt.Errorf("%s: it is not lower", means)
	case difference < c.By-rounding:
		return fmt.Errorf("%s: lower by %.4g and not by %g", means, difference, c.By)
	}
	if c.Clear {
		contrast, err := outcome.ContrastOf(low.quantity, high.runs, low.runs)
		switch from, to := contrast.Interval(); {
		case err != nil:
			return err
		case math.IsNaN(from):
			return fmt.Errorf("%s: one run has no interval", means)
		case !contrast.Clear():
			return fmt.Errorf("%s: the 95 %% interval of the difference, %.3g to %.3g, does not lie below zero", means, from, to)
		}
	}
	return nil
}

func (c *Between) verify(r records, _ text) error {
	if c.Low == nil || c.High == nil {
		return errors.New(`its check "between" does not name "low" and "high"`)
	}
	group, err := r.group(c.Quantity, c.Runs)
	if err != nil {
		return err
	}
	x, means := group.Mean, fmt.Sprintf("%s is %s", group.title(), group)
	if len(c.Minus) > 0 {
		one, other, err := r.pair(c.Quantity, c.Runs, c.Minus)
		if err != nil {
			return err
		}
		x = one.Mean - other.Mean
		means = fmt.Sprintf("%s is %s, of %s %s, and the difference %.4g", one.title(), one, other.list(), other, x)
	}
	if !(x >= *c.Low-rounding && x <= *c.High+rounding) {
		return fmt.Errorf("%s: not from %g to %g", means, *c.Low, *c.High)
	}
	return nil
}

func (c *Faster) verify(r records, _ text) error {
	quick, slow, err := r.pair(seconds, c.Runs, c.Than)
	if err != nil {
		return err
	}
	saved, _, err := outcome.TimeSaved(slow.runs, quick.runs)
	if err != nil {
		return err
	}
	saved *= 100
	if !(saved > 0 && saved >= c.Percent-rounding) || c.AtMost > 0 && saved > c.AtMost+rounding {
		wanted := fmt.Sprintf("at least %g", c.Percent)
		if c.AtMost > 0 {
			wanted = fmt.Sprintf("%g to %g", c.Percent, c.AtMost)
		}
		return fmt.Errorf("%s is %s, and of %s %s: %.1f %% less, not %s", quick.title(), quick, slow.list(), slow, saved, wanted)
	}
	return nil
}

func (c *Wins) verify(r records, _ text) error {
	ours, err := r.group(c.Quantity, c.Runs)
	if err != nil {
		return err
	}
	theirs, err := r.group(c.Quantity, c.Than)
	if err != nil {
		return err
	}
	contrast, err := outcome.ContrastOf(ours.quantity, theirs.runs, ours.runs)
	if err != nil {
		return err
	}
	wins, pairs := contrast.Wins, contrast.Pairs
	if wins != c.Wins || pairs != c.Seeds || ours.N != pairs || theirs.N != pairs {
		return fmt.Errorf("%s is below that of %s in %d of %d pairs of equal seeds (of %d and %d runs), not in %d of %d",
			ours.title(), theirs.list(), wins, pairs, ours.N, theirs.N, c.Wins, c.Seeds)
	}
	return nil
}

func (c *Reaches) verify(r records, _ text) error {
	ours, theirs, err := r.pair("", c.Runs, c.Goal)
	if err != nil {
		return err
	}
	reach := outcome.ReachOf(theirs.runs, ours.runs)
	what := fmt.Sprintf("%d of %d runs of %s reach the lowest validation error of %s", reach.Reached, reach.Pairs, ours.list(), theirs.list())
	switch percent := 100 * reach.Steps.Mean; {
	case reach.Reached != c.Reached || reach.Pairs != c.Seeds:
		return fmt.Errorf("%s, not %d of %d", what, c.Reached, c.Seeds)
	case c.StepsPercent > 0 && !(percent <= c.StepsPercent):
		return fmt.Errorf("%s, after %.3g %% of the steps on average, not after at most %g %%", what, percent, c.StepsPercent)
	}
	return nil
}

func (c *Best) verify(r records, _ text) error {
	best, err := r.group(c.Quantity, c.Runs)
	if err != nil {
		return err
	}
	all, err := r.open(c.Among)
	if err != nil {
		return err
	}
	inside, others := false, false
	for _, same := range outcome.BySetting(all) {
		if recipes.SameSetting(same[0].Recipe, best.runs[0].Recipe) {
			if len(same) != best.N {
				return fmt.Errorf("%s are %d of the %d runs of their setting", best.list(), best.N, len(same))
			}
			inside = true
			continue
		}
		others = true
		other, err := groupOf(c.Quantity, []string{same[0].Name}, same)
		if err != nil {
			return err
		}
		if !(best.Mean < other.Mean) {
			return fmt.Errorf("%s is %s, and of %s and the other seeds %s", best.title(), best, other.list(), other)
		}
	}
	if !inside || !others {
		return fmt.Errorf("%s are not one of several settings among %s", best.list(), strings.Join(c.Among, ", "))
	}
	return nil
}

func (c *Pruned) verify(r records, _ text) error {
	ours, err := r.pruned(c.Records, c.Blocks)
	if err != nil {
		return err
	}
	theirs, err := r.pruned(c.Than, c.Blocks)
	if err != nil {
		return err
	}
	if difference := theirs.Mean - ours.Mean; !(difference > 0 && difference >= c.By-rounding) {
		return fmt.Errorf("the test error of %s with %d blocks is %s, and of %s %s: not lower by more than %g", say.Enumerate(c.Records),
			c.Blocks, ours.Text(2), say.Enumerate(c.Than), theirs.Text(2), c.By)
	}
	return nil
}

// pruned is the mean test error of recorded networks with this number of blocks left.
func (r records) pruned(names []string, blocks int) (outcome.Estimate, error) {
	list, err := r.sources.Pruned(names)
	if err != nil {
		return outcome.Estimate{}, err
	}
	if len(list) == 0 {
		return outcome.Estimate{}, errors.New("its check names no records")
	}
	var percents []float64
	for _, record := range list {
		state, err := record.With(blocks)
		if err != nil {
			return outcome.Estimate{}, err
		}
		percents = append(percents, state.TestError)
	}
	return outcome.Average(percents...), nil
}

func (c *Shown) verify(_ records, page text) error {
	if len(*c) == 0 {
		return errors.New(`its check "shown" names nothing`)
	}
	for _, part := range *c {
		if strings.TrimSpace(part) == "" || !strings.Contains(page.outputs, normal(part)) {
			return fmt.Errorf("its outputs do not show %q", part)
		}
	}
	return nil
}

// records are the recorded runs of a project.
type records struct{ sources *gallery.Sources }

func (r records) open(names []string) ([]*runs.Run, error) {
	if len(names) == 0 {
		return nil, errors.New("its check names no runs")
	}
	for _, name := range names {
		if runs.OfNotebook(name) {
			return nil, fmt.Errorf("its check names the runs %s of a notebook, which are not kept: use \"shown\"", name)
		}
	}
	return r.sources.Runs(names)
}

func (r records) group(q Quantity, names []string) (*group, error) {
	list, err := r.open(names)
	if err != nil {
		return nil, err
	}
	return groupOf(q, names, list)
}

// pair opens the runs that a check compares, and keeps those with shared seeds, if there are any.
func (r records) pair(q Quantity, a, b []string) (first, second *group, err error) {
	ours, err := r.open(a)
	if err != nil {
		return nil, nil, err
	}
	theirs, err := r.open(b)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs = outcome.OfSharedSeeds(ours, theirs)
	if q == seconds {
		if err := outcome.OneMachine(ours, theirs); err != nil {
			return nil, nil, err
		}
	}
	if first, err = groupOf(q, a, ours); err == nil {
		second, err = groupOf(q, b, theirs)
	}
	return first, second, err
}

// group holds the runs of one setting.
type group struct {
	outcome.Estimate
	quantity outcome.Quantity
	names    []string
	runs     []*runs.Run
}

func groupOf(q Quantity, names []string, list []*runs.Run) (*group, error) {
	quantity, err := q.find()
	if err != nil {
		return nil, err
	}
	mean, err := outcome.MeanOf(quantity, list)
	return &group{mean, quantity, names, list}, err
}

func (g *group) list() string { return strings.Join(g.names, ", ") }

func (g *group) title() string { return fmt.Sprintf("the mean %s of %s", g.quantity.Name, g.list()) }

func (g *group) String() string { return fmt.Sprintf("%.4g (n = %d)", g.Mean, g.N) }
