package figures

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs/pruned"
	"stochdepth/toolkit/runs/recipes"
)

// front is one panel of [Fronts]: the networks of one data set, by the kind of depth in training, constant or stochastic.
type front struct {
	data    string
	layers  int // of the deepest
	records []*pruned.Record
	seeds   map[string][]plotter.XYs // the networks of this depth, pruned
	mean    map[string]plotter.XYs   // over the seeds
	small   map[string]plotter.XYs   // the others as they were trained
}

// frontStyles are the series of [Fronts]: of each kind of depth in training the pruned networks, and those trained small.
var frontStyles = []struct {
	kind          string
	pruned, small seriesStyle
}{
	{"constant", constantStyle.named("constant depth, pruned"), constantStyle.readOff().named("constant depth, trained small").as(aPoint)},
	{"stochastic", stochasticStyle.named("stochastic depth, pruned"), stochasticStyle.readOff().named("stochastic depth, trained small").as(aPoint)},
}

// Fronts draws how the test error rises as trained networks lose blocks, against the multiply-adds of an image, in a panel for
// each data set: the deepest networks pruned, and the shallower ones as they were trained, at the work of a pruned network. Of
// several seeds the mean is drawn, and each is a fine line behind it. Records that differ in more than the seed, the depth and
// whether blocks close are an error.
func Fronts(records ...*pruned.Record) (*Figure, error) {
	fronts, err := frontsOf(records)
	if err != nil {
		return nil, err
	}
	var styles []seriesStyle
	for _, s := range frontStyles {
		if slices.ContainsFunc(fronts, func(f *front) bool { return len(f.mean[s.kind]) > 0 }) {
			styles = append(styles, s.pruned)
		}
		if slices.ContainsFunc(fronts, func(f *front) bool { return len(f.small[s.kind]) > 0 }) {
			styles = append(styles, s.small)
		}
	}
	l := layout{headline: "Test error of networks that lose their blocks", styles: styles, provenance: frontProvenance(fronts)}
	return l.panels(len(fronts), 2.7*vg.Inch, func(panel int, c draw.Canvas) {
		f := fronts[panel]
		c = title(c, fmt.Sprintf("%s, %d layers", f.data, f.layers))
		p := newPlot()
		p.X.Label.Text, p.Y.Label.Text = "multiply-adds of an image (millions)", "test error (%)"
		p.X.Min, p.Y.Min = 0, 0
		p.X.Max, p.Y.Max = f.ends()
		for _, s := range frontStyles {
			var seeds []plotter.XYs
			for _, points := range f.seeds[s.kind] {
				if points = below(points, p.Y.Max); len(points) > 0 {
					seeds = append(seeds, points)
				}
			}
			addSeeds(p, s.pruned, seeds)
		}
		frame(c, p)
		for _, s := range frontStyles {
			addCurve(p, s.pruned, below(f.mean[s.kind], p.Y.Max))
			if len(f.small[s.kind]) > 0 {
				addPoints(p, s.small, f.small[s.kind])
			}
		}
		p.Draw(c)
	}), nil
}

// ends are the ends of the axes: all multiply-adds, and errors up to which somebody may use a network.
func (f *front) ends() (work, percent float64) {
	lowest, highest := 100.0, 0.0 // of whole networks
	for _, points := range f.mean {
		work = max(work, 1.03*points[0].X)
		lowest, highest = min(lowest, points[0].Y), max(highest, points[0].Y)
	}
	percent = min(100, highest+3*lowest)
	for _, points := range f.small {
		for _, at := range points {
			percent = max(percent, 1.1*at.Y)
		}
	}
	return work, percent
}

// frontsOf sorts records into panels, in the order of the records.
func frontsOf(records []*pruned.Record) (fronts []*front, err error) {
	if len(records) == 0 {
		return nil, errors.New("there is no pruned network to draw")
	}
	for _, r := range records {
		data := outcome.DatasetName(r.Recipe)
		i := slices.IndexFunc(fronts, func(f *front) bool { return f.data == data })
		if i < 0 {
			i = len(fronts)
			fronts = append(fronts, &front{data: data, seeds: map[string][]plotter.XYs{}, mean: map[string]plotter.XYs{},
				small: map[string]plotter.XYs{}})
		}
		fronts[i].records = append(fronts[i].records, r)
		fronts[i].layers = max(fronts[i].layers, r.Recipe.Depth)
	}
	for _, f := range fronts {
		for i, r := range f.records {
			for _, other := range f.records[:i] {
				if err := comparable(other, r); err != nil {
					return nil, err
				}
			}
			if err := f.add(r); err != nil {
				return nil, err
			}
		}
		for kind, seeds := range f.seeds {
			f.mean[kind] = make(plotter.XYs, len(seeds[0]))
			for i := range f.mean[kind] {
				for _, points := range seeds {
					f.mean[kind][i].X += points[i].X / float64(len(seeds))
					f.mean[kind][i].Y += points[i].Y / float64(len(seeds))
				}
			}
		}
	}
	return fronts, nil
}

// comparable says in one sentence why two records of one data set cannot stand in one panel, or returns nil.
func comparable(a, b *pruned.Record) error {
	same := recipes.SameSetting(a.Recipe, b.Recipe)
	switch {
	case a.Order != b.Order || a.Test != b.Test:
		return fmt.Errorf("%s and %s were pruned in another order, or are tested on other images: prune them alike", a.Network, b.Network)
	case same && a.Recipe.Seed == b.Recipe.Seed:
		return fmt.Errorf("%s and %s are one network: name one of the records", a.Network, b.Network)
	case !same && a.Recipe.Depth == b.Recipe.Depth && a.Recipe.IsConstant() == b.Recipe.IsConstant():
		return fmt.Errorf("%s and %s have other settings than the seed: a curve is the mean over seeds, so name records of one setting",
			a.Network, b.Network)
	case same && !slices.EqualFunc(a.States, b.States, func(x, y pruned.State) bool { return len(x.Kept) == len(y.Kept) }):
		return fmt.Errorf("%s was pruned to other numbers of blocks than the other seeds: prune them alike", b.Network)
	}
	return nil
}

// add adds a record to the panel.
func (f *front) add(r *pruned.Record) error {
	kind := "stochastic"
	if r.Recipe.IsConstant() {
		kind = "constant"
	}
	var points plotter.XYs
	for _, state := range r.States {
		points = append(points, plotter.XY{X: float64(state.MultiplyAdds) / 1e6, Y: state.TestError})
	}
	switch {
	case points[0].X == 0:
		return fmt.Errorf("the multiply-adds of %s are not known, so that it cannot be compared", r.Network)
	case r.Recipe.Depth < f.layers:
		f.small[kind] = append(f.small[kind], points[0])
	default:
		f.seeds[kind] = append(f.seeds[kind], points)
	}
	return nil
}

// frontProvenance says how the networks were trained and pruned.
func frontProvenance(fronts []*front) Provenance {
	var sentences, orders, commits []string
	total := 0
	note := func(list *[]string, text string) { // each once
		if text != "" && !slices.Contains(*list, text) {
			*list = append(*list, text)
		}
	}
	for _, f := range fronts {
		var networks []string
		for _, r := range f.records {
			note(&networks, fmt.Sprintf("%d layers, %s", r.Recipe.Depth, outcome.Closing(r.Recipe)))
			note(&orders, r.Order)
			note(&commits, say.ShortCommit(r.Commit))
		}
		n := len(f.records)
		total += n
		sentences = append(sentences, fmt.Sprintf("%s: %s (%d network%s); %d test images.", f.data, strings.Join(networks, "; "), n,
			say.Plural(n), f.records[0].Test))
	}
	if total > 2 {
		sentences = append(sentences, "Bold: mean over seeds; fine: each seed; hollow: each network as it was trained.")
	}
	sentences = append(sentences, fmt.Sprintf("Order of the blocks: %s; chosen on validation images. After each removal the averages of batch "+
		"normalisation are measured again on training images; nothing is trained.", say.Enumerate(orders)))
	if len(commits) > 0 {
		sentences = append(sentences, fmt.Sprintf("Commit%s %s.", say.Plural(len(commits)), say.Enumerate(commits)))
	}
	return Recorded("").With(sentences...)
}
