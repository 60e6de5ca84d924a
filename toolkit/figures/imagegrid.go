package figures

import (
	"fmt"
	"image"
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/dataset"
)

// Picture is a small image with what is to be said about it.
type Picture struct {
	Format  dataset.Format // three channels (red, green, blue), or one (grey)
	Pixels  []byte         // [height, width, channels], row-major
	Caption string         // in one line below; may be empty
	Wrong   bool           // the caption is red
}

// ImageGrid draws pictures side by side, row by row, with a number of columns.
func ImageGrid(provenance Provenance, headline string, columns int, pictures ...Picture) (*Figure, error) {
	if len(pictures) == 0 || columns < 1 {
		return nil, fmt.Errorf("there are no pictures to draw, or no columns")
	}
	drawn, captions := make([]image.Image, len(pictures)), false
	for i, p := range pictures {
		if f := p.Format; len(p.Pixels) != f.Bytes() || f.Channels != 3 && f.Channels != 1 {
			return nil, fmt.Errorf("picture %d has %d bytes, which are no image of %d x %d pixels with %d channels, one or three",
				i, len(p.Pixels), f.Height, f.Width, f.Channels)
		}
		drawn[i] = enlarge(p, 4)
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
			c.DrawImage(p.within(vg.Rectangle{Min: vg.Point{X: left, Y: head - size}, Max: vg.Point{X: left + size, Y: head}}), drawn[i])
			style := centered(text(sans(smallSize), ink))
			if p.Wrong {
				style.Color = red
			}
			c.FillText(fit(style, p.Caption, size+gap-2), vg.Point{X: left + size/2, Y: head - size - 7}, p.Caption)
		}
	}), nil
}

// within is where the picture lies in a square: it fills its longer side.
func (p Picture) within(square vg.Rectangle) vg.Rectangle {
	size, longer := square.Size(), vg.Length(max(p.Format.Width, p.Format.Height))
	beside := size.X * (1 - vg.Length(p.Format.Width)/longer) / 2
	above := size.Y * (1 - vg.Length(p.Format.Height)/longer) / 2
	return vg.Rectangle{Min: vg.Point{X: square.Min.X + beside, Y: square.Min.Y + above},
		Max: vg.Point{X: square.Max.X - beside, Y: square.Max.Y - above}}
}

// enlarge makes each pixel a square, so that no reader's program blurs them.
func enlarge(p Picture, times int) image.Image {
	f := p.Format
	picture := image.NewNRGBA(image.Rect(0, 0, f.Width*times, f.Height*times))
	for y := range f.Height * times {
		for x := range f.Width * times {
			pixel := p.Pixels[f.Channels*(y/times*f.Width+x/times):][:f.Channels]
			picture.SetNRGBA(x, y, color.NRGBA{pixel[0], pixel[f.Channels/2], pixel[f.Channels-1], 0xff})
		}
	}
	return picture
}
