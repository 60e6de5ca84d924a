package figures

import (
	"fmt"
	"image"
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Picture is a small image with what is to be said about it.
type Picture struct {
	Pixels  []byte // [side, side, 3], row-major: row, column, channel (red, green, blue)
	Caption string // in one line below; may be empty
	Wrong   bool   // the caption is red
}

// ImageGrid draws pictures side by side, row by row, with a number of columns. All pictures are square.
func ImageGrid(provenance Provenance, headline string, columns int, pictures ...Picture) (*Figure, error) {
	if len(pictures) == 0 || columns < 1 {
		return nil, fmt.Errorf("there are no pictures to draw, or no columns")
	}
	drawn, captions := make([]image.Image, len(pictures)), false
	for i, p := range pictures {
		side := 1
		for side*side*3 < len(p.Pixels) {
			side++
		}
		if side*side*3 != len(p.Pixels) {
			return nil, fmt.Errorf("picture %d has %d bytes: a square one of three colours has 3 times a square number", i, len(p.Pixels))
		}
		drawn[i] = enlarge(p.Pixels, side, 4)
		captions = captions || p.Caption != ""
	}
	const gap = 6
	sizeAt := func(width vg.Length) vg.Length {
		return min((width-gap*vg.Length(columns-1))/vg.Length(columns), 96)
	}
	below := vg.Length(gap)
	if captions {
		below += lineHeight + 2
	}
	rows := (len(pictures) + columns - 1) / columns
	l := layout{headline: headline, provenance: provenance}
	return l.sized(func(width vg.Length) vg.Length { return (sizeAt(width) + below) * vg.Length(rows) }, func(c draw.Canvas) {
		size := sizeAt(c.Max.X - c.Min.X)
		for i, p := range pictures {
			left := c.Min.X + (size+gap)*vg.Length(i%columns)
			head := c.Max.Y - (size+below)*vg.Length(i/columns)
			c.DrawImage(vg.Rectangle{Min: vg.Point{X: left, Y: head - size}, Max: vg.Point{X: left + size, Y: head}}, drawn[i])
			style := centered(text(sans(smallSize), ink))
			if p.Wrong {
				style.Color = red
			}
			c.FillText(fit(style, p.Caption, size+gap-2), vg.Point{X: left + size/2, Y: head - size - 7}, p.Caption)
		}
	}), nil
}

// enlarge makes each pixel a square, so that no reader's program blurs them.
func enlarge(pixels []byte, side, times int) image.Image {
	picture := image.NewNRGBA(image.Rect(0, 0, side*times, side*times))
	for y := range side * times {
		for x := range side * times {
			at := 3 * (y/times*side + x/times)
			picture.SetNRGBA(x, y, color.NRGBA{pixels[at], pixels[at+1], pixels[at+2], 0xff})
		}
	}
	return picture
}
