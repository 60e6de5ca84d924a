package figures

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
)

type ruleStyle struct {
	rule, formula string
	seriesStyle
}

// ruleStyles are the styles of the straight rules, as the legend has them; the first one is drawn last.
var ruleStyles = []ruleStyle{
	{"linear", "1 − ℓ/L · d", stochasticStyle},
	{"linear-from-zero", "1 − (ℓ − 1)/(L − 1) · d", seriesStyle{color: magenta, glyph: draw.CircleGlyph{}, phase: 0.3}},
	{"linear-short", "1 − (ℓ − 1)/L · d",
		seriesStyle{color: amber, glyph: draw.SquareGlyph{}, dashes: []vg.Length{8, 2, 2, 2}, phase: 0.55}},
	{"uniform", "1 − d", uniformStyle},
	{stagewise, "1 − (s + 1)/(S + 1) · d", seriesStyle{color: ink, glyph: draw.RingGlyph{}, phase: 0.3}},
}

// bentStyles are those of depth.Curves, with c(x) of 1 - c(x) d.
var bentStyles = []ruleStyle{
	{"logarithmic", "ln ℓ / ln L", seriesStyle{color: ink, glyph: draw.RingGlyph{}}},
	{"sine", "sin(πx/2)", seriesStyle{color: amber, glyph: draw.SquareGlyph{}, dashes: []vg.Length{8, 2, 2, 2}}},
	{"exponential", "2^x − 1", seriesStyle{color: magenta, glyph: draw.CircleGlyph{}}},
	{"sigmoid", "1/(1 + exp(5 − 10x))", seriesStyle{color: blue, glyph: draw.PyramidGlyph{}, dashes: []vg.Length{5, 2}}},
	{"square", "x²", seriesStyle{color: green, glyph: draw.BoxGlyph{}, dashes: []vg.Length{2, 2}}},
	{"step", "0, then 1", seriesStyle{color: red, glyph: draw.TriangleGlyph{}}},
}

const stagewise = "stagewise" // the rule whose line breaks off between groups

// SurvivalRules draws the survival probability of each block under each rule of package depth that has a formula, the
// straight ones beside the bent ones, for a network whose groups have these numbers of blocks and a death rate from 0 to
// below 1.
func SurvivalRules(groups []int, deathRate float64) (*Figure, error) {
	blocks := depth.Total(groups)
	if blocks == 0 {
		return nil, fmt.Errorf("there are no blocks to draw")
	}
	all := slices.Concat(ruleStyles, bentStyles)
	curves := make(map[string]plotter.XYs)
	styles := make([]seriesStyle, len(all))
	open := make([]string, len(all))
	for i, s := range all {
		survival, err := depth.ByRule(s.rule, groups, deathRate, nil)
		if err != nil {
			return nil, err
		}
		for l, p := range survival {
			curves[s.rule] = append(curves[s.rule], plotter.XY{X: float64(l + 1), Y: p})
		}
		styles[i] = s.named(s.rule).saying(s.rule + ":  " + s.formula)
		open[i] = s.rule + "\u00a0" + say.Decimal(math.Round(survival.ExpectedOpen()*100)/100)
	}
	caption := fmt.Sprintf("Open on average, of %d block%s: %s. With more blocks, the linear rules come closer to each other.",
		blocks, say.Plural(blocks), strings.Join(open, ", "))
	l := layout{headline: fmt.Sprintf("The survival rules at a death rate of %s", say.Decimal(deathRate)), styles: styles,
		below: []string{fmt.Sprintf("d is the death rate that a recipe names; ℓ = 1 … L counts the blocks, s = 1 … S the groups: "+
			"here L = %d, S = %d.", blocks, len(groups)),
			"The bent rules, from logarithmic on, are 1 − c · d: the legend has c for x = (ℓ − 1)/(L − 1)."},
		provenance: Provenance{Caption: caption}}
	return l.panels(2, 2.8*vg.Inch, func(i int, c draw.Canvas) {
		c = title(c, []string{"Survival probability p_ℓ: straight", "Survival probability p_ℓ: bent"}[i])
		p := newPlot()
		p.X.Label.Text, p.X.Tick.Marker = "block ℓ", niceTicks{each: true}
		p.X.Min, p.X.Max = 0.5, float64(blocks)+0.5
		room := max(deathRate, 0.01)
		p.Y.Min, p.Y.Max = 1-1.14*room, 1+0.04*room // below are the names of the groups
		frame(c, p)
		p.Add(groupBorders(groups))
		for _, s := range slices.Backward([][]ruleStyle{ruleStyles, bentStyles}[i]) {
			named := s.named(s.rule)
			if s.rule != stagewise {
				addCurve(p, named, curves[s.rule])
				continue
			}
			rest := curves[s.rule]
			for _, n := range groups {
				add(p, &plotter.Line{XYs: rest[:n], LineStyle: named.line()})
				rest = rest[n:]
			}
			addMarkers(p, named, 2.4, named.marked(curves[s.rule]))
			add(p, noted{named, curves[s.rule]})
		}
		p.Draw(c)
	}), nil
}

// groupBorders is a plotter of dashed lines between groups of these numbers of blocks, with their names.
type groupBorders []int

// Plot draws the lines and the names: it implements plot.Plotter.
func (g groupBorders) Plot(c draw.Canvas, p *plot.Plot) {
	if len(g) < 2 {
		return
	}
	toX, _ := p.Transforms(&c)
	label := centered(text(sans(smallSize), grey))
	first := 0.5
	for i, blocks := range g {
		last := first + float64(blocks)
		if last > p.X.Max+0.5 || first < p.X.Min-0.5 { // cut by the frame
			first = last
			continue
		}
		if i > 0 {
			c.StrokeLine2(draw.LineStyle{Color: grey, Width: 0.7, Dashes: []vg.Length{2, 3}}, toX(first), c.Min.Y, toX(first), c.Max.Y)
		}
		name := fmt.Sprintf("group %d", i+1)
		c.FillText(fit(label, name, toX(last)-toX(first)-4), vg.Point{X: (toX(first) + toX(last)) / 2, Y: c.Min.Y + 7}, name)
		first = last
	}
}
