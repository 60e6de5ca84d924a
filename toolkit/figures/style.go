package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Style says how a figure is drawn; the zero value is the gallery's.
type Style struct {
	// Width of the file; 0 is the figure's own, mostly 8 inches. Below three quarters of that the figure is laid out again,
	// so that no text is smaller than 6 points: panels stand below each other and keep their proportions, unless they would
	// be too flat to read.
	Width     vg.Length
	NoTitle   bool // without the headline and the sentences below it, which a paper has in its own words
	NoCaption bool // without the caption, for the same reason
	Theme     Theme
	Own       OwnStyle
}

// IsZero reports whether the style is the gallery's.
func (s Style) IsZero() bool {
	return s.Width == 0 && !s.NoTitle && !s.NoCaption && (s.Theme == "" || s.Theme == Light) && s.Own.IsZero()
}

const (
	figureWidth = 8 * vg.Inch // made to be read at 800 pixels
	// smallest is the scale at which a layout's text of 8 points has 6.
	smallest = 0.75
	// leastWidth is the width of the narrowest layout: a column of 7 cm.
	leastWidth = 7 * vg.Centimeter / smallest
	// narrow is the width of a drawing below which panels do not stand side by side.
	narrow = 520
)

// Figure is a drawing of a fixed size.
type Figure struct {
	Width, Height vg.Length

	style  Style
	scale  float64 // a point of the layout in points of the file
	width  vg.Length
	height vg.Length // of the layout, as is width
	paint  func(c draw.Canvas)
	design design
}

// design is a figure before its style is chosen.
type design struct {
	width, least vg.Length // of the layout: its own, and the least at which it can be read
	layout       func(width vg.Length, style Style) (height vg.Length, paint func(c draw.Canvas))
}

// figure is the design in the gallery's style.
func (d design) figure() *Figure {
	f := &Figure{Width: d.width, style: Style{Theme: Light}, scale: 1, width: d.width, design: d}
	f.height, f.paint = d.layout(f.width, f.style)
	f.Height = f.height
	return f
}

// In returns the figure in a style. A width at which it cannot be read, an unknown theme, and a name or a
// range that the figure does not have, are errors.
func (f *Figure) In(style Style) (*Figure, error) {
	if style.Theme == "" {
		style.Theme = Light
	}
	if _, known := palettes[style.Theme]; !known {
		return nil, fmt.Errorf("unknown theme %q: use %s or %s", style.Theme, Light, Dark)
	}
	if err := style.Own.check(); err != nil {
		return nil, err
	}
	d := f.design
	g := &Figure{Width: d.width, style: style, scale: 1, width: d.width, design: d}
	if style.Width != 0 {
		if least := max(d.least, leastWidth) * smallest; style.Width < least-0.01 || style.Width > 200*vg.Centimeter {
			return nil, fmt.Errorf("the figure cannot be read at a width of %.3g cm: ask for %.1f to 200 cm",
				style.Width/vg.Centimeter, math.Ceil(float64(least/vg.Centimeter)*10-0.01)/10)
		}
		// Whole dots per inch, in the layout's points: a PNG has just the width that was asked for.
		dots := math.Round(DPI * max(float64(style.Width/d.width), smallest))
		g.Width, g.scale = style.Width, dots/DPI
		g.width = style.Width / vg.Length(g.scale)
	}
	g.height, g.paint = d.layout(g.width, style)
	g.Height = g.height * vg.Length(g.scale)
	if !style.Own.IsZero() {
		if err := style.Own.fits(g.notes()); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Draw draws the figure on a canvas of its size.
func (f *Figure) Draw(c draw.Canvas) { f.scaled(c) }

// scaled is Draw, and returns the values taken down.
func (f *Figure) scaled(c draw.Canvas) *notes {
	c.Push()
	defer c.Pop()
	if f.scale != 1 {
		c.Scale(f.scale, f.scale)
	}
	return f.draw(draw.NewCanvas(c.Canvas, f.width, f.height))
}

// draw draws the figure on a canvas of its layout's size, and returns the values taken down.
func (f *Figure) draw(c draw.Canvas) *notes {
	n := newNotes()
	c.Canvas = page{c.Canvas, newLook(f.style.Theme, f.style.Own), n}
	if f.style.Theme != Light { // Light is drawn on whatever is there: white paper, mostly
		c.FillPolygon(paper, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
	}
	f.paint(c)
	return n
}

// inProportion is the height of a drawing at some width, from its height at a figure's own width: it shrinks with the
// width, but not so far that the drawing is too flat to read.
func inProportion(height, width vg.Length) vg.Length {
	return max(height*width/inside, min(height, width*0.62))
}

// split divides a canvas into n panels: side by side with a gap, or below each other where it is narrow.
func split(c draw.Canvas, n int, gap vg.Length) []draw.Canvas {
	panels := make([]draw.Canvas, n)
	width, height := c.Max.X-c.Min.X, c.Max.Y-c.Min.Y
	for i := range panels {
		at, left := vg.Length(i), vg.Length(n-1-i)
		if width < narrow {
			each := (height + gap) / vg.Length(n)
			panels[i] = draw.Crop(c, 0, 0, left*each, -at*each)
		} else {
			each := (width + gap) / vg.Length(n)
			panels[i] = draw.Crop(c, at*each, -left*each, 0, 0)
		}
	}
	return panels
}
