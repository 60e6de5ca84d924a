// Package rates says what a rate of stochastic depth means in other libraries: which block is dropped how often, for what, and
// how it is scaled. The facts are in data/rates.json, each with how it was seen. measure.py, which `make rates` runs, measures
// them.
package rates

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

// Table is the file data/rates.json.
type Table struct {
	Date     string            `json:"date"`     // of the measurements
	Versions map[string]string `json:"versions"` // of each library
	Networks []Network         `json:"networks"`
}

// Network is what a library makes of a rate in one of its networks.
type Network struct {
	Name      string    `json:"name"`      // library/network
	Blocks    int       `json:"blocks"`    // that can close; 0: as many as one asks for, or those of Groups or Fractions
	Groups    []int     `json:"groups"`    // blocks of each group, for a rule that asks for them
	Rule      string    `json:"rule"`      // one of depth.Rules
	Fractions []float64 `json:"fractions"` // instead of a rule: the death rate of each block, as a part of the nominal rate
	Unit      string    `json:"unit"`      // what a gate is drawn for: minibatch or sample; none if nothing is drawn
	// train: the branch is divided by p_l in training; test: times p_l at test; never; noise: times noise in training; none
	// if no block is dropped.
	Scale      string `json:"scale"`
	Evaluation string `json:"evaluation"`  // what evaluation does with a branch
	AtRateOne  string `json:"at_rate_one"` // what a block does at rate 1
	Seen       string `json:"seen"`        // measured, or read in the source
	Date       string `json:"date"`        // if it is not the table's
	Note       string `json:"note"`
}

// Read reads the table.
func Read(path string) (*Table, error) {
	data, err := files.ReadText(path, files.LargestText)
	if err != nil {
		return nil, fmt.Errorf("cannot read the rates of other libraries: %w", err)
	}
	var table Table
	if err := json.Unmarshal(data, &table); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, say.JSONError(err))
	}
	return &table, nil
}

// Names lists the networks.
func (t *Table) Names() (names []string) {
	for _, n := range t.Networks {
		names = append(names, n.Name)
	}
	return names
}

// Find returns the network of a name; an unknown name is an error that names the nearest, or those of which it is a part.
func (t *Table) Find(name string) (Network, error) {
	names := t.Names()
	if i := slices.Index(names, name); i >= 0 {
		return t.Networks[i], nil
	}
	near := say.DidYouMean(name, names)
	if near == "" && name != "" {
		names = slices.DeleteFunc(names, func(n string) bool { return !strings.Contains(n, strings.ToLower(name)) })
		if len(names) > 0 {
			near = ", but of " + say.Enumerate(names)
		}
	}
	return Network{}, fmt.Errorf("nothing is known of %s%s: `stochdepth rates` lists the networks", say.Shown(name), near)
}

// Survival returns the survival probability of each block at a nominal rate from 0 to below 1; where there may be any number
// of blocks, which then have one probability, of one.
func (n Network) Survival(rate float64) (depth.Survival, error) {
	if n.Fractions == nil {
		groups := n.Groups
		if groups == nil {
			groups = []int{max(n.Blocks, 1)}
		}
		return depth.ByRule(n.Rule, groups, rate, nil)
	}
	if _, err := depth.ByRule("uniform", []int{1}, rate, nil); err != nil {
		return nil, err
	}
	p := make(depth.Survival, len(n.Fractions))
	for i, fraction := range n.Fractions {
		p[i] = 1 - fraction*rate
	}
	return p, nil
}

// Settings are the settings of a recipe for a rate here, as key=value. They leave the scale out where the library scales
// branches neither in training nor at test, which no setting does.
func (n Network) Settings(rate float64) (settings []string, err error) {
	p, err := n.Survival(rate)
	if err != nil {
		return nil, err
	}
	switch {
	case n.neverDrops():
		return []string{"death_rate=0"}, nil
	case n.Groups != nil:
		groups := strings.ReplaceAll(strings.Trim(fmt.Sprint(n.Groups), "[]"), " ", ",")
		settings = []string{"blocks=" + groups, "rule=" + n.Rule, fmt.Sprintf("death_rate=%g", rate)}
	case n.Fractions == nil:
		settings = []string{"rule=" + n.Rule, fmt.Sprintf("death_rate=%g", rate)}
	case len(p) == 1:
		settings = []string{"rule=uniform", fmt.Sprintf("death_rate=%g", n.Fractions[0]*rate)}
	default:
		list := make([]string, len(p))
		for i, v := range p {
			list[i] = fmt.Sprintf("%.10g", v)
		}
		settings = []string{"rule=list", "death_rate=0", "survival_probabilities=" + strings.Join(list, ",")}
	}
	settings = append(settings, "gates_per="+n.Unit)
	if n.unscaled() {
		return settings, nil
	}
	return append(settings, "scale_at="+n.Scale), nil
}

func (n Network) unscaled() bool { return n.Scale == "never" }

// neverDrops says whether no block is dropped at any rate.
func (n Network) neverDrops() bool {
	return n.Fractions != nil && !slices.ContainsFunc(n.Fractions, func(f float64) bool { return f != 0 })
}

// List writes a line for each network, in one of say.TableFormats.
func (t *Table) List(w io.Writer, format string) error {
	return say.WriteTable(w, format, []say.Column[Network]{
		{Key: "name", Head: "network", Value: func(n Network) any { return n.Name }},
		{Key: "version", Head: "version", Value: func(n Network) any { return t.version(n) }},
		{Key: "blocks", Head: "blocks", Right: true, Value: func(n Network) any { return n.count() },
			Shown: Network.blocks},
		{Key: "rule", Head: "rule", Value: func(n Network) any { return n.rule() }},
		{Key: "unit", Head: "drawn for each", Value: func(n Network) any { return n.Unit }},
		{Key: "scale", Head: "scaled at", Value: func(n Network) any { return n.Scale }},
		{Key: "evaluation", Head: "in evaluation", Value: func(n Network) any { return n.Evaluation }},
		{Key: "at_rate_one", Head: "at rate 1", Value: func(n Network) any { return n.AtRateOne }},
		{Key: "seen", Head: "seen", Value: func(n Network) any { return n.Seen }},
	}, t.Networks)
}

// Markdown is a table with the line of each network.
func (t *Table) Markdown() string {
	lines := [][]string{{"Network", "Blocks", "Rule", "Drawn for each", "Scaled at", "At rate 1", "Seen"}}
	for _, n := range t.Networks {
		lines = append(lines, []string{n.Name, n.blocks(), n.rule(), n.Unit, n.Scale, n.AtRateOne, n.Seen})
	}
	return say.MarkdownTable(lines)
}

// count is the number of blocks that can close; 0 where it may be any.
func (n Network) count() int {
	if len(n.Fractions) > 1 {
		return len(n.Fractions)
	}
	return n.Blocks + depth.Total(n.Groups)
}

func (n Network) blocks() string {
	if n.count() == 0 {
		return "any"
	}
	return fmt.Sprint(n.count())
}

func (n Network) rule() string {
	if n.Fractions != nil {
		return "its own"
	}
	return n.Rule
}

func (n Network) library() string {
	library, _, _ := strings.Cut(n.Name, "/")
	return library
}

func (t *Table) version(n Network) string { return t.Versions[n.library()] }

// Describe writes what a network does with a rate, and the settings for it here.
func (t *Table) Describe(w io.Writer, n Network, rate float64) error {
	p, err := n.Survival(rate)
	if err != nil {
		return err
	}
	settings, err := n.Settings(rate)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s at rate %g, %s on %s in %s %s\n",
		n.Name, rate, n.Seen, cmp.Or(n.Date, t.Date), n.library(), t.version(n))
	if n.Note != "" {
		fmt.Fprintln(w, n.Note)
	}
	fmt.Fprintln(w)
	writeSurvival(w, p)
	drawn := cmp.Or(map[string]string{"noise": "none, but noise is drawn", "none": "none: no block is dropped"}[n.Scale], "drawn")
	if n.Unit != "none" {
		drawn += " for each " + n.Unit
	}
	fmt.Fprintf(w, "gates         %s\n", drawn)
	if n.Scale != "none" {
		fmt.Fprintf(w, "branches      scaled %s\n", map[string]string{
			"train": "in training, divided by the survival probability", "test": "at test, times the survival probability",
			"never": "neither in training nor at test", "noise": "in training, times the noise"}[n.Scale])
	}
	evaluation := n.Evaluation
	if evaluation == "as it is" {
		evaluation = "all blocks open"
	}
	fmt.Fprintf(w, "evaluation    %s\n", evaluation)
	fmt.Fprintf(w, "at rate 1     %s\n\nThe settings for it here:\n  --set %s\n", n.AtRateOne, strings.Join(settings, " --set "))
	switch {
	case n.neverDrops():
		fmt.Fprintln(w, "This is constant depth: it drops no block either.")
		return nil
	case n.Groups != nil:
		fmt.Fprintf(w, "These blocks go with a depth of %d layers if they are bottlenecks, of %d if they are basic.\n",
			depth.LayersIn(depth.Bottleneck, n.Groups), depth.LayersIn(depth.Basic, n.Groups))
	}
	if n.Unit == "sample" {
		fmt.Fprintln(w, "With gates per sample, batch normalisation here counts a block's open images only, others count all.")
	}
	if n.unscaled() {
		fmt.Fprintln(w, "Branches here are always scaled: add scale_at=test (the paper) or scale_at=train.")
	}
	return nil
}

// SurvivalTable writes, for programs, a line for each block of a network with its survival probability at a rate, as tsv, csv
// or json; Describe is for people. Where there may be any number of blocks, the one line is of block 0.
func (n Network) SurvivalTable(w io.Writer, format string, rate float64) error {
	p, err := n.Survival(rate)
	if err != nil {
		return err
	}
	type block struct {
		number   int
		survival float64
	}
	var list []block
	for l, survival := range p {
		list = append(list, block{min(l+1, n.count()), survival})
	}
	return say.WriteTable(w, format, []say.Column[block]{
		{Key: "block", Value: func(b block) any { return b.number }},
		{Key: "survival_probability", Value: func(b block) any { return b.survival }},
	}, list)
}

// writeSurvival writes a line for each run of blocks with one survival probability.
func writeSurvival(w io.Writer, p depth.Survival) {
	for first := 0; first < len(p); {
		last := first // the last of the blocks from first on that have its probability
		for last+1 < len(p) && p[last+1] == p[first] {
			last++
		}
		switch {
		case last-first+1 == len(p):
			fmt.Fprintf(w, "every block   survives with probability %.4g\n", p[first])
		case first == last:
			fmt.Fprintf(w, "block %-7d survives with probability %.4g\n", first+1, p[first])
		default:
			fmt.Fprintf(w, "%-13s survive with probability %.4g\n", fmt.Sprintf("blocks %d-%d", first+1, last+1), p[first])
		}
		first = last + 1
	}
}
