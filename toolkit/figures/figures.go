// Package figures draws the project's figures, one exported function each: it takes runs or numbers and returns a
// Figure, which Save writes as PNG (300 dpi), SVG or PDF. The same data give the same bytes.
//
// All figures look alike (theme.go): constant depth is red, stochastic depth is blue, as in the paper, and they
// differ in marker or line style too, so that no reader depends on the colours. In draws a figure in another style: at
// the width of a column, without its title, or in a dark theme.
package figures

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
)

// DPI is the resolution of the PNGs.
const DPI = 300

// Save writes the figure to path, whole or not at all, in the format that its extension names: .png, .svg or .pdf.
// Missing folders are made.
func Save(path string, f *Figure) error {
	data, err := f.Bytes(strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), "."))
	if err != nil {
		return fmt.Errorf("cannot save the figure %s: %w", path, err)
	}
	if err := disk.MkdirAll(filepath.Dir(path)); err != nil {
		return files.WriteError(path, err)
	}
	return files.Write(path, data)
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
	f.Draw(draw.New(canvas))
	var buffer bytes.Buffer
	if _, err := canvas.WriteTo(&buffer); err != nil {
		return nil, fmt.Errorf("cannot make a %s of the figure: %w", format, err)
	}
	if format == "svg" { // readers without the font get one of the same widths
		return bytes.ReplaceAll(buffer.Bytes(), []byte("font-family:Liberation Sans;"),
			[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
	}
	return buffer.Bytes(), nil
}

// PNG returns the figure as a PNG with that many dots per inch: fewer than DPI for a screen.
func (f *Figure) PNG(dpi int) ([]byte, error) {
	// The layout is drawn with fewer dots instead of scaled, which keeps letters sharp.
	dots := int(math.Round(float64(dpi) * f.scale))
	canvas := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(dots), vgimg.UseBackgroundColor(paper.in(f.style.Theme)))
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
