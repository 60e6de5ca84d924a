package figures

import (
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	gonumfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// outlined is a canvas on which text is drawn as the outlines of its letters. PDFs need it: vgpdf cannot use bold
// fonts, and has no letters outside its code page, such as ℓ and the minus sign.
type outlined struct{ vg.CanvasSizer }

// FillString draws text with its left end and baseline at pt.
func (c outlined) FillString(face gonumfont.Face, pt vg.Point, text string) {
	outlines := face.Face
	var buffer sfnt.Buffer
	units := fixed.Int26_6(outlines.UnitsPerEm()) // one 26.6 unit a font unit: nothing is rounded
	point := func(x vg.Length, p fixed.Point26_6) vg.Point {
		scale := face.Font.Size / vg.Length(units)
		return vg.Point{X: x + vg.Length(p.X)*scale, Y: pt.Y - vg.Length(p.Y)*scale}
	}
	x, last := pt.X, sfnt.GlyphIndex(0)
	for _, letter := range text {
		index, err := outlines.GlyphIndex(&buffer, letter)
		if err != nil {
			continue // as the other canvases do with what the font lacks
		}
		if kern, err := outlines.Kern(&buffer, last, index, units, font.HintingNone); err == nil && last != 0 {
			x += vg.Length(kern) * face.Font.Size / vg.Length(units)
		}
		segments, err := outlines.LoadGlyph(&buffer, index, units, nil)
		if err != nil {
			continue
		}
		var path vg.Path
		for i, s := range segments {
			p := func(i int) vg.Point { return point(x, s.Args[i]) }
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				if i > 0 {
					path.Close()
				}
				path.Move(p(0))
			case sfnt.SegmentOpLineTo:
				path.Line(p(0))
			case sfnt.SegmentOpQuadTo:
				path.QuadTo(p(0), p(1))
			case sfnt.SegmentOpCubeTo:
				path.CubeTo(p(0), p(1), p(2))
			}
		}
		if len(path) > 0 {
			path.Close()
			c.Fill(path)
		}
		advance, err := outlines.GlyphAdvance(&buffer, index, units, font.HintingNone)
		if err == nil {
			x += vg.Length(advance) * face.Font.Size / vg.Length(units)
		}
		last = index
	}
}
