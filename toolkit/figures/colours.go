package figures

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Theme says which colours a figure has; the zero value is Light.
type Theme string

// The themes: Light for white paper, Dark for slides and dark pages.
const (
	Light Theme = "light"
	Dark  Theme = "dark"
)

// role is a colour by what it is for. A theme says which colour that is; a canvas without a theme takes Light's.
type role uint8

const (
	paper   role = iota // the ground
	ink                 // text
	grey                // secondary text, axes
	thin                // grid
	onFill              // text on red and blue
	red                 // constant depth
	blue                // stochastic depth
	pale                // a tint of blue
	blush               // a tint of red
	magenta             // training loss of constant depth
	green               // training loss of stochastic depth
	amber               // one more curve
	accent              // a frame
	roles
)

// palettes are the colours of the themes. Those of curves follow the palette of Okabe and Ito, which colour-blind
// readers can tell apart; Dark has them lighter.
var palettes = map[Theme][roles]color.NRGBA{
	Light: {
		paper: {0xff, 0xff, 0xff, 0xff}, ink: {0x22, 0x26, 0x2b, 0xff}, grey: {0x6a, 0x70, 0x78, 0xff}, thin: {0xe4, 0xe6, 0xe9, 0xff},
		onFill: {0xff, 0xff, 0xff, 0xff}, red: {0xc8, 0x41, 0x1b, 0xff}, blue: {0x00, 0x6b, 0xb0, 0xff}, pale: {0xd9, 0xe9, 0xf5, 0xff},
		blush: {0xf8, 0xdf, 0xd6, 0xff}, magenta: {0xb8, 0x5c, 0x92, 0xff}, green: {0x00, 0x8a, 0x66, 0xff},
		amber: {0xc2, 0x84, 0x00, 0xff}, accent: {0x00, 0x6b, 0xb0, 0xff},
	},
	Dark: {
		paper: {0x15, 0x19, 0x1e, 0xff}, ink: {0xed, 0xef, 0xf2, 0xff}, grey: {0xa9, 0xb1, 0xbb, 0xff}, thin: {0x30, 0x37, 0x40, 0xff},
		onFill: {0x15, 0x19, 0x1e, 0xff}, red: {0xff, 0x8a, 0x5c, 0xff}, blue: {0x5a, 0xb4, 0xf0, 0xff}, pale: {0x16, 0x36, 0x4e, 0xff},
		blush: {0x4a, 0x26, 0x1a, 0xff}, magenta: {0xe3, 0x9a, 0xc6, 0xff}, green: {0x3f, 0xc9, 0x9f, 0xff},
		amber: {0xe6, 0xb0, 0x35, 0xff}, accent: {0x5a, 0xb4, 0xf0, 0xff},
	},
}

// themed is a colour that depends on the look of the page. Its RGBA is that in Light.
type themed interface {
	color.Color
	in(*look) color.NRGBA
}

var inLight = newLook(Light, OwnStyle{})

func (r role) in(l *look) color.NRGBA       { return l.palette[r] }
func (r role) RGBA() (_, _, _, _ uint32)    { return palettes[Light][r].RGBA() }
func (h hue) RGBA() (_, _, _, _ uint32)     { return h.role.RGBA() }
func (b blend) RGBA() (_, _, _, _ uint32)   { return b.in(inLight).RGBA() }
func (s shade) RGBA() (_, _, _, _ uint32)   { return s.in(inLight).RGBA() }
func (o onShade) RGBA() (_, _, _, _ uint32) { return o.in(inLight).RGBA() }

// blend is a colour mixed with the ground; ground is the part of that, from 0 to 1.
type blend struct {
	color  themed
	ground float64
}

func (b blend) in(l *look) color.NRGBA { return mix(b.color.in(l), paper.in(l), b.ground) }

// shade is the colour of a value from 0 to 1. In Light it goes from a pale yellow by green to a dark blue, in Dark the
// other way: values near 0 are near the ground. Its lightness falls, or rises, all the way, so that it reads in grey too.
type shade float64

var ramp = []color.NRGBA{{0xff, 0xf7, 0xd6, 0xff}, {0xb8, 0xdf, 0xb0, 0xff}, {0x6f, 0xc0, 0xba, 0xff},
	{0x1f, 0x6b, 0xa5, 0xff}, {0x12, 0x2f, 0x66, 0xff}}

func (s shade) in(l *look) color.NRGBA {
	at := min(max(float64(s), 0), 1)
	if l.dark {
		at = 1 - at
	}
	at *= float64(len(ramp) - 1)
	i := min(int(at), len(ramp)-2)
	return mix(ramp[i], ramp[i+1], at-float64(i))
}

// onShade is the colour of text on a shade: dark or pale, whichever stands out.
type onShade shade

func (o onShade) in(l *look) color.NRGBA {
	dark, white, fill := ink.in(inLight), paper.in(inLight), shade(o).in(l)
	if contrastRatio(dark, fill) > contrastRatio(white, fill) {
		return dark
	}
	return white
}

// contrastRatio says how well two colours stand out from each other, from 1 to 21, as WCAG 2 defines it.
func contrastRatio(a, b color.NRGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance is the relative luminance of a colour of sRGB.
func luminance(c color.NRGBA) float64 {
	linear := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// mix goes from a to b as f goes from 0 to 1.
func mix(a, b color.NRGBA, f float64) color.NRGBA {
	part := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + (float64(y)-float64(x))*f)) }
	return color.NRGBA{part(a.R, b.R), part(a.G, b.G), part(a.B, b.B), 0xff}
}

// page is the canvas of a figure: what is drawn on it gets the colours of a look, and its values are taken down.
type page struct {
	vg.Canvas
	look  *look
	notes *notes
}

// pageOf finds the page on which a canvas is: gonum crops a canvas by wrapping it.
func pageOf(c vg.Canvas) (p page, ok bool) {
	for {
		switch on := c.(type) {
		case page:
			return on, true
		case draw.Canvas:
			c = on.Canvas
		case *draw.Canvas:
			c = on.Canvas
		default:
			return p, false
		}
	}
}

// SetColor sets the colour that the look has for c; a colour that is not themed stays.
func (p page) SetColor(c color.Color) {
	if h, ok := c.(hue); ok {
		p.notes.hues[h.series] = true
	}
	if colour, ok := c.(themed); ok {
		c = colour.in(p.look)
	}
	p.Canvas.SetColor(c)
}
