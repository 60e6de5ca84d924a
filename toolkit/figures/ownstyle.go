package figures

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	plottext "gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

// OwnStyle is what a reader may choose beside the layout: a figure without it has the gallery's colours, words and ranges. In a
// JSON file its keys are those of the fields, in small letters. Series have the names that [Figure.Series] lists.
type OwnStyle struct {
	Font    string            `json:"font"`    // one of Fonts; "": sans
	Colours map[string]string `json:"colours"` // of series, as #d62728; of constant depth and stochastic depth in every figure
	Legend  map[string]string `json:"legend"`  // what the legend says instead of a series' own text
	Order   []string          `json:"order"`   // of series in the legend: the first ones
	X       []float64         `json:"x"`       // the ends of the horizontal axis, and of the vertical one: of the first panel, and
	Y       []float64         `json:"y"`       // of those that show the same
}

// Fonts are the families that figures can be written in: Liberation Sans, which is like Arial, and Liberation Serif, which is
// like Times.
var Fonts = []string{"sans", "serif"}

// ReadStyle reads a style from a JSON file, such as {"font": "serif", "colours": {"constant depth": "#d62728"}, "x": [0, 500]}.
func ReadStyle(path string) (OwnStyle, error) {
	var own OwnStyle
	data, err := files.ReadText(path, files.LargestText)
	if err != nil {
		return own, fmt.Errorf("cannot read the style: %w", err)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return own, fmt.Errorf("the style %s: %w", path, say.JSONError(err))
	}
	known := []string{"font", "colours", "legend", "order", "x", "y"}
	for key := range keys {
		if !slices.Contains(known, key) {
			return own, fmt.Errorf("the style %s has the unknown key %q%s: the keys are %s", path, key, say.DidYouMean(key, known),
				strings.Join(known, ", "))
		}
	}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&own); err != nil {
		return own, fmt.Errorf("the style %s: %w", path, say.JSONError(err))
	}
	if err := own.check(); err != nil {
		return own, fmt.Errorf("the style %s: %w", path, err)
	}
	return own, nil
}

var hexColour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// check refuses values that are wrong in any figure.
func (o OwnStyle) check() error {
	if o.Font != "" && !slices.Contains(Fonts, o.Font) {
		return fmt.Errorf("unknown font %q: use %s", o.Font, strings.Join(Fonts, " or "))
	}
	for name, colour := range o.Colours {
		if !hexColour.MatchString(colour) {
			return fmt.Errorf("the colour %q of %q is none: write it as #d62728", colour, name)
		}
	}
	for axis, ends := range map[string][]float64{"x": o.X, "y": o.Y} {
		if ends != nil && (len(ends) != 2 || !(ends[0] < ends[1]) || math.IsInf(ends[0], 0) || math.IsInf(ends[1], 0)) {
			return fmt.Errorf("%s is %v: give the two ends of the axis, the lower one first, such as [0, 500]", axis, ends)
		}
	}
	return nil
}

// IsZero reports whether nothing is chosen.
func (o OwnStyle) IsZero() bool {
	return o.Font == "" && len(o.Colours) == 0 && len(o.Legend) == 0 && len(o.Order) == 0 && o.X == nil && o.Y == nil
}

// look is a style as a page applies it.
type look struct {
	palette [roles]color.NRGBA
	dark    bool
	series  map[string]color.NRGBA
	own     OwnStyle
}

// newLook is the look of a style, whose theme must be known.
func newLook(theme Theme, own OwnStyle) *look {
	l := &look{palette: palettes[theme], dark: theme == Dark, series: map[string]color.NRGBA{}, own: own}
	for name, hex := range own.Colours {
		if n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32); err == nil {
			l.series[name] = color.NRGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 0xff}
		}
	}
	const tint = 0.85 // of the ground
	for name, pair := range map[string][2]role{constantStyle.name: {red, blush}, stochasticStyle.name: {blue, pale}} {
		if own, ok := l.series[name]; ok {
			l.palette[pair[0]], l.palette[pair[1]] = own, mix(own, l.palette[paper], tint)
		}
	}
	return l
}

// hue is the colour of a series.
type hue struct {
	series string
	role   role
	faded  float64 // the part of the ground in it
}

func (h hue) in(l *look) color.NRGBA {
	if own, ok := l.series[h.series]; ok {
		return own
	}
	return blend{h.role, h.faded}.in(l)
}

// legend puts series into the style's order, with its texts.
func (o OwnStyle) legend(styles []seriesStyle) []seriesStyle {
	place := func(s seriesStyle) int {
		if i := slices.Index(o.Order, s.name); i >= 0 {
			return i
		}
		return len(o.Order)
	}
	styles = slices.Clone(styles)
	slices.SortStableFunc(styles, func(a, b seriesStyle) int { return place(a) - place(b) })
	for i, s := range styles {
		if words, ok := o.Legend[s.name]; ok {
			styles[i] = s.saying(words)
		}
	}
	return styles
}

// frame gives a plot the ranges of the page's style, if it has some: call it when the figure's own are set.
func frame(c draw.Canvas, p *plot.Plot) {
	frameX(c, p)
	frameY(c, p)
}

// frameX is frame for the horizontal axis. It reports whether the range is the style's.
func frameX(c draw.Canvas, p *plot.Plot) bool {
	on, ok := pageOf(c)
	if !ok {
		return false
	}
	on.notes.framed.x = true
	return on.notes.frame("x", &p.X, on.look.own.X)
}

// frameY is frame for the vertical axis.
func frameY(c draw.Canvas, p *plot.Plot) {
	if on, ok := pageOf(c); ok {
		on.notes.framed.y = true
		on.notes.frame("y", &p.Y, on.look.own.Y)
	}
}

func (n *notes) frame(name string, axis *plot.Axis, ends []float64) bool {
	if ends == nil {
		return false
	}
	if _, log := axis.Scale.(plot.LogScale); log && ends[0] <= 0 {
		n.err = fmt.Errorf("%s begins at %g, but this axis is logarithmic: begin above 0", name, ends[0])
		return false
	}
	axis.Min, axis.Max = ends[0], ends[1]
	return true
}

// UnknownNames is the error of a style with names of series that a figure does not have.
type UnknownNames struct {
	Names, Known []string
	where        string // colours, legend or order
}

func (u UnknownNames) Error() string {
	if len(u.Known) == 0 {
		return fmt.Sprintf("the style has %q in %s, but the figure has no legend", u.Names[0], u.where)
	}
	return fmt.Sprintf("the style has %q in %s, a series that the figure does not have%s: it has %s", u.Names[0], u.where,
		say.DidYouMean(u.Names[0], u.Known), strings.Join(u.Known, ", "))
}

// fits refuses names and ranges that a figure, with these notes, does not have.
func (o OwnStyle) fits(n *notes) error {
	switch {
	case n.err != nil:
		return n.err
	case o.X != nil && !n.framed.x:
		return errors.New("the figure has no horizontal axis whose range can be chosen: leave out x")
	case o.Y != nil && !n.framed.y:
		return errors.New("the figure has no vertical axis whose range can be chosen: leave out y")
	}
	for _, part := range []struct {
		where        string
		names, known []string
	}{
		{"colours", slices.Sorted(maps.Keys(o.Colours)), n.coloured()},
		{"legend", slices.Sorted(maps.Keys(o.Legend)), n.legend},
		{"order", o.Order, n.legend},
	} {
		unknown := slices.DeleteFunc(slices.Clone(part.names), func(name string) bool { return slices.Contains(part.known, name) })
		if len(unknown) > 0 {
			return UnknownNames{unknown, part.known, part.where}
		}
	}
	return nil
}

// Without is the style without names of series.
func (o OwnStyle) Without(names []string) OwnStyle {
	named := func(name string) bool { return slices.Contains(names, name) }
	o.Colours, o.Legend = maps.Clone(o.Colours), maps.Clone(o.Legend)
	maps.DeleteFunc(o.Colours, func(name, _ string) bool { return named(name) })
	maps.DeleteFunc(o.Legend, func(name, _ string) bool { return named(name) })
	o.Order = slices.DeleteFunc(slices.Clone(o.Order), named)
	return o
}

// coloured are the series that have a colour: the two of all figures, those of the legend, and others.
func (n *notes) coloured() []string {
	names := []string{constantStyle.name, stochasticStyle.name}
	for _, name := range slices.Concat(n.legend, slices.Sorted(maps.Keys(n.hues))) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Series are the names of the figure's series in its legend, in that order: those that an [OwnStyle] may name.
func (f *Figure) Series() []string { return f.notes().legend }

// widthOn is the width of words in the font of the page. [draw.TextStyle.Width] is that in Liberation Sans, in which figures are
// laid out: the letters of Liberation Serif are narrower, so that what is written in them has room too.
func widthOn(c draw.Canvas, style draw.TextStyle, words string) vg.Length {
	return inFontOf(c, style).Width(words)
}

// inFontOf is the style in the font of the page.
func inFontOf(c vg.Canvas, style draw.TextStyle) draw.TextStyle {
	if on, ok := pageOf(c); ok && on.look.own.Font == "serif" {
		style.Font.Variant = "Serif"
	}
	return style
}

// writer writes text in the font of the page.
type writer struct{ plottext.Plain }

// Draw implements [plottext.Handler].
func (w writer) Draw(c vg.Canvas, words string, style plottext.Style, at vg.Point) {
	w.Plain.Draw(c, words, inFontOf(c, style), at)
}

var handler = writer{plottext.Plain{Fonts: font.DefaultCache}}
