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

// front is one panel of [Fronts]: the networks of one data set.
type front struct {
	data   string
	layers int                    // of the deepest
	pruned map[string]plotter.XYs // mean over the seeds, of networks of this depth, by the kind of depth in training
	seeds  map[string][]plotter.XYs
	small  map[string]plotter.XYs // the others as they were trained
	blocks map[string][]int       // that are left, at each point of pruned
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
// several seeds the mean is drawn, and each is a fine line behind it.
func Fronts(records ...*pruned.Record) (*Figure, error) {
	fronts, err := frontsOf(records)
	if err != nil {
		return nil, err
	}
	var styles []seriesStyle
	for _, s := range frontStyles {
		if slices.ContainsFunc(fronts, func(f *front) bool { return len(f.pruned[s.kind]) > 0 }) {
			styles = append(styles, s.pruned)
		}
		if slices.ContainsFunc(fronts, func(f *front) bool { return len(f.small[s.kind]) > 0 }) {
			styles = append(styles, s.small)
		}
	}
	l := layout{headline: "Test error of networks that lose their blocks", styles: styles, provenance: frontProvenance(records)}
	return l.panels(len(fronts), 2.7*vg.Inch, func(panel int, c draw.Canvas) {
		f := fronts[panel]
		c = title(c, fmt.Sprintf("%s, %d layers", f.data, f.layers))
		p := newPlot()
		p.X.Label.Text, p.Y.Label.Text = "multiply-adds of an image (millions)", "test error (%)"
		p.X.Min, p.Y.Min = 0, 0
		var lowest, whole float64
		for _, points := range f.pruned {
			p.X.Max = max(p.X.Max, 1.03*points[0].X)
			if whole = max(whole, points[0].Y); lowest == 0 || points[0].Y < lowest {
				lowest = points[0].Y
			}
		}
		p.Y.Max = min(100, whole+3*lowest) // beyond this nobody uses a network
		for _, points := range f.small {
			for _, at := range points {
				p.Y.Max = max(p.Y.Max, 1.1*at.Y)
			}
		}
		for _, s := range frontStyles {
			var seeds []plotter.XYs
			for _, points := range f.seeds[s.kind] {
				seeds = append(seeds, fromBelow(points, p.Y.Max))
			}
			if len(seeds) > 0 {
				addSeeds(p, s.pruned, seeds)
			}
		}
		frame(c, p)
		for _, s := range frontStyles {
			addCurve(p, s.pruned, below(f.pruned[s.kind], p.Y.Max))
			if len(f.small[s.kind]) > 0 {
				addPoints(p, s.small, f.small[s.kind])
			}
		}
		p.Draw(c)
	}), nil
}

// fromBelow is below, with one point at least.
func fromBelow(points plotter.XYs, limit float64) plotter.XYs {
	if list := below(points, limit); len(list) > 0 {
		return list
	}
	return points[:1]
}

// frontsOf sorts records into panels, in the order of the records.
func frontsOf(records []*pruned.Record) (fronts []*front, err error) {
	if len(records) == 0 {
		return nil, errors.New("there is no pruned network to draw")
	}
	byData := map[string]*front{}
	for _, r := range records {
		data := outcome.DatasetName(r.Recipe)
		f := byData[data]
		if f == nil {
			f = &front{data: data, pruned: map[string]plotter.XYs{}, seeds: map[string][]plotter.XYs{}, small: map[string]plotter.XYs{},
				blocks: map[string][]int{}}
			byData[data], fronts = f, append(fronts, f)
		}
		f.layers = max(f.layers, r.Recipe.Depth)
	}
	for i, r := range records {
		f, kind := byData[outcome.DatasetName(r.Recipe)], "stochastic"
		for _, other := range records[:i] {
			switch a, b := r.Recipe, other.Recipe; {
			case outcome.DatasetName(a) != outcome.DatasetName(b):
			case r.Order != other.Order || r.Test != other.Test:
				return nil, fmt.Errorf("%s and %s were pruned in another order, or are tested on other images: prune them alike", other.Network, r.Network)
			case a.Seed == b.Seed && recipes.SameSetting(a, b):
				return nil, fmt.Errorf("%s and %s are one network: name one of the records", other.Network, r.Network)
			case a.Depth == b.Depth && a.IsConstant() == b.IsConstant() && !recipes.SameSetting(a, b):
				return nil, fmt.Errorf("%s and %s have other settings than the seed: a curve is the mean over seeds, so name records of one setting",
					other.Network, r.Network)
			}
		}
		if r.Recipe.IsConstant() {
			kind = "constant"
		}
		var points plotter.XYs
		var blocks []int
		for _, state := range r.States {
			points = append(points, plotter.XY{X: float64(state.MultiplyAdds) / 1e6, Y: state.TestError})
			blocks = append(blocks, len(state.Kept))
		}
		switch {
		case points[0].X == 0:
			return nil, fmt.Errorf("the multiply-adds of %s are not known, so that it cannot be compared", r.Network)
		case r.Recipe.Depth < f.layers:
			f.small[kind] = append(f.small[kind], points[0])
		case f.blocks[kind] != nil && !slices.Equal(f.blocks[kind], blocks):
			return nil, fmt.Errorf("%s was pruned to other numbers of blocks than the other seeds: prune them alike", r.Network)
		default:
			f.seeds[kind], f.blocks[kind] = append(f.seeds[kind], points), blocks
		}
	}
	for _, f := range fronts {
		for kind, seeds := range f.seeds {
			f.pruned[kind] = make(plotter.XYs, len(seeds[0]))
			for i := range f.pruned[kind] {
				for _, points := range seeds {
					f.pruned[kind][i].X += points[i].X / float64(len(seeds))
					f.pruned[kind][i].Y += points[i].Y / float64(len(seeds))
				}
			}
		}
	}
	return fronts, nil
}

// frontProvenance says how the networks were trained and pruned.
func frontProvenance(records []*pruned.Record) Provenance {
	distinct := func(textOf func(r *pruned.Record) string) (list []string) {
		for _, r := range records {
			if text := textOf(r); text != "" && !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
		return list
	}
	var sentences []string
	for _, data := range distinct(func(r *pruned.Record) string { return outcome.DatasetName(r.Recipe) }) {
		var networks, images []string
		for _, r := range records {
			if outcome.DatasetName(r.Recipe) != data {
				continue
			}
			name := fmt.Sprintf("%d layers, %s", r.Recipe.Depth, outcome.Closing(r.Recipe))
			if !slices.Contains(networks, name) {
				networks = append(networks, name)
			}
			if text := fmt.Sprintf("%d test images", r.Test); !slices.Contains(images, text) {
				images = append(images, text)
			}
		}
		n := 0
		for _, r := range records {
			if outcome.DatasetName(r.Recipe) == data {
				n++
			}
		}
		sentences = append(sentences, fmt.Sprintf("%s: %s (%d network%s); %s.", data, strings.Join(networks, "; "), n, say.Plural(n),
			say.Enumerate(images)))
	}
	if len(records) > 2 {
		sentences = append(sentences, "Bold: mean over seeds; fine: each seed; hollow: each network as it was trained.")
	}
	orders := distinct(func(r *pruned.Record) string { return r.Order })
	sentences = append(sentences, fmt.Sprintf("Order of the blocks: %s; chosen on validation images. After each removal the averages of batch "+
		"normalisation are measured again on training images; nothing is trained.", say.Enumerate(orders)))
	if commits := distinct(func(r *pruned.Record) string { return say.ShortCommit(r.Commit) }); len(commits) > 0 {
		sentences = append(sentences, fmt.Sprintf("Commit%s %s.", say.Plural(len(commits)), say.Enumerate(commits)))
	}
	return Recorded("").With(sentences...)
}
