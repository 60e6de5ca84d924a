package figures

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"time"

	"codeberg.org/go-pdf/fpdf"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// pdfCanvas is a page of a PDF in which text stays text, in fonts that are embedded. gonum's vgpdf cannot do it: it has
// no bold fonts, and no letters outside its code page, such as ℓ, the minus sign and the arrows.
type pdfCanvas struct {
	*fpdf.Fpdf
	width, height vg.Length
	lines         []vg.Length // widths of lines: that of each Push, and the present one
	images        int
	err           error // of a font or an image
}

// newPDF is a page of this size in points. Its dates are the paper's, so that the same data give the same bytes.
func newPDF(width, height vg.Length) *pdfCanvas {
	page := fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: float64(width), Ht: float64(height)}})
	c := &pdfCanvas{Fpdf: page, width: width, height: height, lines: make([]vg.Length, 1)}
	date := time.Date(2016, 3, 30, 0, 0, 0, 0, time.UTC)
	c.SetCreationDate(date)
	c.SetModificationDate(date)
	c.SetCatalogSort(true)
	c.SetMargins(0, 0, 0)
	c.SetAutoPageBreak(false, 0)
	c.AddPage()
	c.TransformBegin() // fpdf's origin is the upper left corner, vg's the lower left one
	c.TransformTranslate(0, float64(height))
	c.TransformScale(100, -100, 0, 0)
	vg.Initialize(c)
	return c
}

// WriteTo writes the PDF and closes it.
func (c *pdfCanvas) WriteTo(w io.Writer) (int64, error) {
	c.TransformEnd()
	var file bytes.Buffer
	if err := c.Output(&file); err != nil {
		return 0, err
	}
	if c.err != nil {
		return 0, c.err
	}
	return file.WriteTo(w)
}

func (c *pdfCanvas) Size() (width, height vg.Length) { return c.width, c.height }
func (c *pdfCanvas) Rotate(radians float64)          { c.TransformRotate(-radians*180/math.Pi, 0, 0) }
func (c *pdfCanvas) Translate(pt vg.Point)           { c.TransformTranslate(float64(pt.X), float64(pt.Y)) }
func (c *pdfCanvas) Scale(x, y float64)              { c.TransformScale(100*x, 100*y, 0, 0) }
func (c *pdfCanvas) Fill(path vg.Path)               { c.trace(path, "F") }

func (c *pdfCanvas) Push() {
	c.TransformBegin()
	c.lines = append(c.lines, c.lines[len(c.lines)-1])
}

func (c *pdfCanvas) Pop() {
	c.TransformEnd()
	c.lines = c.lines[:len(c.lines)-1]
}

func (c *pdfCanvas) SetLineWidth(w vg.Length) {
	c.Fpdf.SetLineWidth(float64(w))
	c.lines[len(c.lines)-1] = w
}

// Stroke draws no line if the width is zero, as vg asks for: PDF would draw its finest line, around a bar for example.
func (c *pdfCanvas) Stroke(path vg.Path) {
	if c.lines[len(c.lines)-1] > 0 {
		c.trace(path, "D")
	}
}

func (c *pdfCanvas) SetLineDash(pattern []vg.Length, offset vg.Length) {
	dashes := make([]float64, len(pattern))
	for i, d := range pattern {
		dashes[i] = float64(d)
	}
	c.SetDashPattern(dashes, float64(offset))
}

// SetColor takes nil for black, as vg asks for.
func (c *pdfCanvas) SetColor(colour color.Color) {
	if colour == nil {
		colour = color.Black
	}
	n := color.NRGBAModel.Convert(colour).(color.NRGBA)
	c.SetFillColor(int(n.R), int(n.G), int(n.B))
	c.SetDrawColor(int(n.R), int(n.G), int(n.B))
	c.SetTextColor(int(n.R), int(n.G), int(n.B))
	c.SetAlpha(float64(n.A)/255, "Normal")
}

// trace draws a path; arcs are pieces of Bézier curves, a quarter of a circle at most.
func (c *pdfCanvas) trace(path vg.Path, style string) {
	for _, p := range path {
		x, y := float64(p.Pos.X), float64(p.Pos.Y)
		switch p.Type {
		case vg.MoveComp:
			c.MoveTo(x, y)
		case vg.LineComp:
			c.LineTo(x, y)
		case vg.CurveComp:
			if len(p.Control) == 1 {
				c.CurveTo(float64(p.Control[0].X), float64(p.Control[0].Y), x, y)
			} else {
				c.CurveBezierCubicTo(float64(p.Control[0].X), float64(p.Control[0].Y), float64(p.Control[1].X),
					float64(p.Control[1].Y), x, y)
			}
		case vg.ArcComp:
			r, pieces := float64(p.Radius), math.Ceil(math.Abs(p.Angle)/(math.Pi/2))
			step := p.Angle / pieces
			handle := 4.0 / 3 * math.Tan(step/4)
			sin, cos := math.Sincos(p.Start)
			c.LineTo(x+r*cos, y+r*sin)
			for i := 1.0; i <= pieces; i++ {
				nextSin, nextCos := math.Sincos(p.Start + i*step)
				c.CurveBezierCubicTo(x+r*(cos-handle*sin), y+r*(sin+handle*cos),
					x+r*(nextCos+handle*nextSin), y+r*(nextSin-handle*nextCos), x+r*nextCos, y+r*nextSin)
				sin, cos = nextSin, nextCos
			}
		case vg.CloseComp:
			c.ClosePath()
		}
	}
	c.DrawPath(style)
}

// FillString writes text with its left end and baseline at pt. The font's used letters become part of the file.
func (c *pdfCanvas) FillString(face font.Face, pt vg.Point, text string) {
	if face.Font.Size == 0 { // for which PDF would take the previous size
		return
	}
	weight := ""
	if face.Font.Weight == xfont.WeightBold {
		weight = "B"
	}
	if c.GetFontDesc(face.Name(), weight).Ascent == 0 {
		var file bytes.Buffer
		if _, err := face.Face.WriteSourceTo(nil, &file); err != nil {
			c.err = fmt.Errorf("the font %s cannot be embedded: %w", face.Name(), err)
			return
		}
		c.AddUTF8FontFromBytes(face.Name(), weight, file.Bytes())
	}
	c.SetFont(face.Name(), weight, float64(face.Font.Size))
	c.Push()
	c.Translate(pt)
	c.Scale(1, -1)
	c.Text(0, 0, text)
	c.Pop()
}

// DrawImage draws a picture over a rectangle.
func (c *pdfCanvas) DrawImage(rect vg.Rectangle, picture image.Image) {
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		c.err = fmt.Errorf("a picture cannot be embedded: %w", err)
		return
	}
	c.images++
	name := fmt.Sprint("picture", c.images)
	options := fpdf.ImageOptions{ImageType: "png"}
	c.RegisterImageOptionsReader(name, options, &file)
	size := rect.Size()
	c.Push()
	c.Translate(vg.Point{X: rect.Min.X, Y: rect.Max.Y})
	c.Scale(1, -1)
	c.ImageOptions(name, 0, 0, float64(size.X), float64(size.Y), false, options, 0, "")
	c.Pop()
}
