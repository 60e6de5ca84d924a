// Package figures draws the project's figures, one exported function each: it takes runs or numbers and returns a
// Figure, which Save writes as PNG (300 dpi), SVG or PDF, and whose Numbers are the values that it shows. The same data give
// the same bytes.
//
// All figures look alike (theme.go): constant depth is red, stochastic depth is blue, as in the paper, and they
// differ in marker or line style too, so that no reader depends on the colours. In draws a figure in another style: at
// the width of a column, without its title, or in a dark theme.
package figures

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"stochdepth/toolkit/internal/files"
)

// DPI is the resolution of the PNGs.
const DPI = 300

// Save writes the figure to path, whole or not at all, in the format that its extension names: .png, .svg or .pdf.
// Missing folders are made.
func Save(path string, f *Figure) error {
	data, err := f.Bytes(formatOf(path))
	if err != nil {
		return fmt.Errorf("cannot save the figure %s: %w", path, err)
	}
	return files.Make(path, data)
}

func formatOf(path string) string {
	return strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
}

// CheckPath says in one sentence why [Save] would not take a path, before the work for the figure is done. No path is no error.
func CheckPath(path string) error {
	if format := formatOf(path); path != "" && !slices.Contains([]string{"png", "svg", "pdf"}, format) {
		return fmt.Errorf("cannot save the figure %s: unknown format %q: use png, svg or pdf", path, format)
	}
	return files.Check(path)
}

// Bytes returns the figure as a file of the format "png", "svg" or "pdf".
func (f *Figure) Bytes(format string) ([]byte, error) {
	if format == "png" {
		return f.PNG(DPI)
	}
	var canvas vg.CanvasWriterTo
	switch format {
	case "svg":
		canvas = vgsvg.New(f.Width, f.Height)
	case "pdf":
		canvas = newPDF(f.Width, f.Height)
	default:
		return nil, fmt.Errorf("unknown format %q: use png, svg or pdf", format)
	}
	drawn := f.scaled(draw.New(canvas))
	var buffer bytes.Buffer
	if _, err := canvas.WriteTo(&buffer); err != nil {
		return nil, fmt.Errorf("cannot make a %s of the figure: %w", format, err)
	}
	if format == "svg" { // readers without the font get one of the same widths
		svg := strings.NewReplacer("font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;",
			"font-family:Liberation Serif;", "font-family:Liberation Serif,Times New Roman,Times,serif;").Replace(buffer.String())
		end := strings.LastIndex(svg, "</svg>")
		return []byte(svg[:end] + f.readings(drawn) + svg[end:]), nil
	}
	return buffer.Bytes(), nil
}

// PNG returns the figure as a PNG with that many dots per inch: fewer than DPI for a screen.
func (f *Figure) PNG(dpi int) ([]byte, error) {
	// The layout is drawn with fewer dots instead of scaled, which keeps letters sharp.
	dots := int(math.Round(float64(dpi) * f.scale))
	canvas := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(dots),
		vgimg.UseBackgroundColor(paper.in(newLook(f.style.Theme, f.style.Own))))
	f.draw(draw.New(canvas))
	var buffer bytes.Buffer
	if err := writePNG(&buffer, canvas.Image().(*image.RGBA)); err != nil {
		return nil, fmt.Errorf("cannot make a PNG of the figure: %w", err)
	}
	if f.style.Width == 0 {
		return buffer.Bytes(), nil
	}
	return withDPI(buffer.Bytes(), dpi), nil
}

// writePNG writes a picture with a palette of its 256 most frequent colours, which makes the file less than half as
// large: figures have few colours, and many in-between ones at the edges of letters and lines, of which the rarest
// become their nearest neighbours. A picture with photographs is written as it is.
func writePNG(w io.Writer, picture *image.RGBA) error {
	counts := map[color.RGBA]int{}
	for i := 0; i < len(picture.Pix); i += 4 {
		counts[color.RGBA{picture.Pix[i], picture.Pix[i+1], picture.Pix[i+2], picture.Pix[i+3]}]++
	}
	colors := make([]color.RGBA, 0, len(counts))
	for c := range counts {
		colors = append(colors, c)
	}
	slices.SortFunc(colors, func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), slices.Compare([]uint8{a.R, a.G, a.B, a.A}, []uint8{b.R, b.G, b.B, b.A}))
	})
	frequent := 0
	for _, c := range colors[:min(256, len(colors))] {
		frequent += counts[c]
	}
	if pixels := len(picture.Pix) / 4; frequent < pixels*9/10 {
		return (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(w, picture)
	}
	var palette color.Palette
	index := map[color.RGBA]uint8{}
	for i, c := range colors {
		if i < 256 {
			palette = append(palette, c)
			index[c] = uint8(i)
		} else {
			index[c] = uint8(palette.Index(c))
		}
	}
	small := image.NewPaletted(picture.Bounds(), palette)
	for i := range small.Pix {
		p := picture.Pix[4*i : 4*i+4]
		small.Pix[i] = index[color.RGBA{p[0], p[1], p[2], p[3]}]
	}
	return png.Encode(w, small)
}

// withDPI returns a PNG with its dots per inch in it, so that programs show and place it at its width. It adds the chunk
// pHYs, which image/png does not write, after the header of 33 bytes.
func withDPI(file []byte, dpi int) []byte {
	perMetre := uint32(math.Round(float64(dpi) / 0.0254))
	chunk := []byte("pHYs")
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = append(chunk, 1) // the unit is a metre
	const header = 33
	whole := slices.Clone(file[:header])
	whole = binary.BigEndian.AppendUint32(whole, uint32(len(chunk)-4))
	whole = append(whole, chunk...)
	whole = binary.BigEndian.AppendUint32(whole, crc32.ChecksumIEEE(chunk))
	return append(whole, file[header:]...)
}
