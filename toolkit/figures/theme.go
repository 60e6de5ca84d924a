package figures

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
)

// Sizes of text. At 800 pixels for 8 inches, 9 points are 12.5 pixels.
const (
	headlineSize = 13
	titleSize    = 10
	textSize     = 9
	smallSize    = 8
)

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

func bold(size vg.Length) font.Font {
	f := sans(size)
	f.Weight = xfont.WeightBold
	return f
}

// text is a style of text anchored at its left end and baseline.
func text(f font.Font, c color.Color) draw.TextStyle {
	return draw.TextStyle{Color: c, Font: f, XAlign: draw.XLeft, YAlign: draw.YBottom, Handler: handler}
}

func centered(sty draw.TextStyle) draw.TextStyle {
	sty.XAlign, sty.YAlign = draw.XCenter, draw.YCenter
	return sty
}

// fit makes the style's text smaller until s is no wider than width.
func fit(sty draw.TextStyle, s string, width vg.Length) draw.TextStyle {
	if w := sty.Width(s); w > width {
		sty.Font.Size *= width / w
	}
	return sty
}

// rich draws s, in which "_x" or "_{xy}" is a subscript; a "_" at the end is drawn as it is. The alignment of sty says
// where pt is. It returns the width.
func rich(c draw.Canvas, sty draw.TextStyle, pt vg.Point, s string) vg.Length {
	sub := sty
	sub.Font.Size *= 0.72
	drop := sty.Font.Size * 0.22
	type piece struct {
		s   string
		sub bool
	}
	var pieces []piece
	var width vg.Length
	for s != "" {
		plain, rest, found := strings.Cut(s, "_")
		if rest == "" {
			plain, found = s, false
		}
		pieces, width = append(pieces, piece{plain, false}), width+widthOn(c, sty, plain)
		if s = rest; !found {
			break
		}
		index := string([]rune(s)[:1])
		s = strings.TrimPrefix(s, index)
		if index == "{" {
			index, s, _ = strings.Cut(s, "}")
		}
		pieces, width = append(pieces, piece{index, true}), width+widthOn(c, sub, index)
	}
	x := pt.X + vg.Length(sty.XAlign)*width
	sty.XAlign, sub.XAlign = draw.XLeft, draw.XLeft
	for _, p := range pieces {
		if p.sub {
			c.FillText(sub, vg.Point{X: x, Y: pt.Y - drop}, p.s)
			x += widthOn(c, sub, p.s)
		} else if p.s != "" {
			c.FillText(sty, vg.Point{X: x, Y: pt.Y}, p.s)
			x += widthOn(c, sty, p.s)
		}
	}
	return width
}

// newPlot is an empty plot in the theme: a line below, thin horizontal grid lines, no frame. Titles are drawn apart.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.Add(newGrid())
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Padding = 0
		axis.LineStyle = draw.LineStyle{Color: grey, Width: 0.7}
		axis.Tick.LineStyle = axis.LineStyle
		axis.Tick.Length = 3
		axis.Tick.Label.Font, axis.Tick.Label.Color = sans(smallSize), grey
		axis.Label.TextStyle.Font, axis.Label.TextStyle.Color = sans(smallSize), grey
		axis.Tick.Marker = niceTicks{}
		axis.Tick.Label.Handler, axis.Label.TextStyle.Handler = handler, handler
	}
	p.Y.LineStyle.Width, p.Y.Tick.Length = 0, 0
	return p
}

// newGrid is a grid of horizontal lines.
func newGrid() *plotter.Grid {
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Vertical.Color = nil
	grid.Horizontal = draw.LineStyle{Color: thin, Width: 0.7}
	return grid
}

// add adds a plotter that leaves the plot's ranges and its room for glyphs as they are: a figure sets its ranges itself,
// and may cut a curve.
func add(p *plot.Plot, plotter plot.Plotter) { p.Add(struct{ plot.Plotter }{plotter}) }

// niceTicks are four to seven labelled ticks at multiples of 1, 2 or 5, or only at whole numbers.
type niceTicks struct {
	whole bool
	each  bool    // at each whole number, such as a block, if they are few
	unit  float64 // of the labels; 0: 1
}

func (n niceTicks) Ticks(low, high float64) []plot.Tick {
	unit := cmp.Or(n.unit, 1)
	low, high = low/unit, high/unit
	step := niceStep((high - low) / 6)
	switch {
	case n.each && high-low <= 16:
		step = 1
	case n.whole || n.each:
		step = max(1, step)
	}
	var ticks []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
		value := i*step + 0 // + 0: no negative zero
		ticks = append(ticks, plot.Tick{Value: value * unit, Label: say.Decimal(value)})
	}
	return ticks
}

// niceStep is the smallest of ..., 0.1, 0.2, 0.5, 1, 2, 5, 10, ... that is at least x.
func niceStep(x float64) float64 {
	ten := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*ten >= x*(1-1e-9) {
			return m * ten
		}
	}
	return 10 * ten
}

// logTicks label the powers of ten, 2 and 5 times them while the axis spans no more than two decades, and the ticks
// of a linear axis where it spans too little for that.
type logTicks struct{}

func (logTicks) Ticks(low, high float64) []plot.Tick {
	if high/low < 5 {
		return niceTicks{}.Ticks(low, high)
	}
	multiples := []float64{1}
	if high/low <= 100 {
		multiples = []float64{1, 2, 5}
	}
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, m := range multiples {
			if v := m * math.Pow(10, e); v >= low*(1-1e-9) && v <= high*(1+1e-9) {
				ticks = append(ticks, plot.Tick{Value: v, Label: say.Decimal(v)})
			}
		}
	}
	return ticks
}

// duration is a time span in the two units that matter: "41.2 s", "3 min 20 s", "15 h 7 min".
func duration(seconds float64) string {
	switch whole := int(math.Round(seconds)); {
	case seconds < 59.95:
		return fmt.Sprintf("%.1f s", seconds)
	case whole < 3600:
		return fmt.Sprintf("%d min %d s", whole/60, whole%60)
	default:
		minutes := int(math.Round(seconds / 60))
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
}
