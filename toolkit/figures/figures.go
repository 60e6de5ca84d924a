// Package figures draws the project's figures, one exported function each: it takes runs or numbers and returns a
// Figure, which Save writes as PNG (300 dpi), SVG or PDF. The same data give the same bytes.
//
// All figures share one theme (theme.go): constant depth is red, stochastic depth is blue, as in the paper, and they
// differ in marker and line style too, so that no reader depends on the colours.
package figures

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"

	"stochdepth/toolkit/runs"
)

// DPI is the resolution of the PNGs.
const DPI = 300

// Figure is a drawing of a fixed size. Figures are 8 inches wide, made to be read at 800 pixels.
type Figure struct {
	Width, Height vg.Length
	draw          func(c draw.Canvas)
}

const figureWidth = 8 * vg.Inch

// Draw draws the figure on a canvas of its size.
func (f *Figure) Draw(c draw.Canvas) { f.draw(c) }

// Save writes the figure to path, whole or not at all, in the format that its extension names: .png, .svg or .pdf.
// Missing folders are made.
func Save(path string, f *Figure) error {
	data, err := f.Bytes(strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), "."))
	if err != nil {
		return fmt.Errorf("cannot save the figure %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return runs.WriteError(path, err)
	}
	return runs.WriteFileAtomic(path, data)
}

// Bytes returns the figure as a file of the format "png", "svg" or "pdf".
func (f *Figure) Bytes(format string) ([]byte, error) {
	if format == "png" {
		return f.PNG(DPI)
	}
	var canvas vg.CanvasSizer
	switch format {
	case "svg":
		canvas = vgsvg.New(f.Width, f.Height)
	case "pdf":
		canvas = vgpdf.New(f.Width, f.Height)
	default:
		return nil, fmt.Errorf("unknown format %q: use png, svg or pdf", format)
	}
	var buffer bytes.Buffer
	if format == "pdf" {
		f.draw(draw.New(outlined{canvas}))
	} else {
		f.draw(draw.New(canvas))
	}
	if _, err := canvas.(io.WriterTo).WriteTo(&buffer); err != nil {
		return nil, fmt.Errorf("cannot make a %s of the figure: %w", format, err)
	}
	switch format {
	case "svg": // readers without the font get one of the same widths
		return bytes.ReplaceAll(buffer.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
	case "pdf":
		return pdfDates.ReplaceAll(buffer.Bytes(), []byte("(D:20160330000000)")), nil
	}
	return buffer.Bytes(), nil
}

// PNG returns the figure as a PNG of so many dots per inch: fewer than DPI for a screen.
func (f *Figure) PNG(dpi int) ([]byte, error) {
	canvas := vgimg.NewWith(vgimg.UseWH(f.Width, f.Height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	f.draw(draw.New(canvas))
	var buffer bytes.Buffer
	if err := writePNG(&buffer, canvas.Image().(*image.RGBA)); err != nil {
		return nil, fmt.Errorf("cannot make a PNG of the figure: %w", err)
	}
	return buffer.Bytes(), nil
}

// pdfDates are the times of drawing, which would make every PDF different; the paper's date has the same length.
var pdfDates = regexp.MustCompile(`\(D:\d{14}\)`)
