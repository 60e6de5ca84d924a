package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Confusion draws a confusion matrix: counts[i][j] images of class i were classified as class j. The shade is the share of
// the class, on a scale that shows small shares too; the right answers are on the diagonal.
func Confusion(provenance Provenance, classes []string, counts [][]int) (*Figure, error) {
	if len(classes) == 0 || len(counts) != len(classes) {
		return nil, fmt.Errorf("the confusion matrix has %d rows for %d classes", len(counts), len(classes))
	}
	right, all := 0, 0
	for i, row := range counts {
		if len(row) != len(classes) {
			return nil, fmt.Errorf("row %d of the confusion matrix has %d columns for %d classes", i, len(row), len(classes))
		}
		right += row[i]
		for _, n := range row {
			all += n
		}
	}
	if all == 0 {
		return nil, fmt.Errorf("there are no images in the confusion matrix")
	}
	l := layout{headline: fmt.Sprintf("%d of %d images are classified correctly", right, all), provenance: provenance}
	m := matrix{classes, counts}
	return l.sized(func(vg.Length) vg.Length { return matrixRow*vg.Length(len(classes)) + m.names() + 24 }, func(c draw.Canvas) {
		m.draw(title(c, "Images by true class (rows) and predicted class (columns)"))
	}), nil
}

// matrix is a confusion matrix as a table of shades.
type matrix struct {
	classes []string
	counts  [][]int
}

const matrixRow = 20 // points

// names is the room that the longest name needs.
func (m matrix) names() vg.Length {
	var longest vg.Length
	for _, class := range m.classes {
		longest = max(longest, text(sans(smallSize), ink).Width(class))
	}
	return longest + 8
}

// draw draws the table into a canvas, the names of the classes at its left and below it.
func (m matrix) draw(c draw.Canvas) {
	left, head := c.Min.X+m.names(), c.Max.Y
	width := min((c.Max.X-left)/vg.Length(len(m.classes)), 44)
	side, below := text(sans(smallSize), ink), text(sans(smallSize), ink)
	side.XAlign, side.YAlign = draw.XRight, draw.YCenter
	below.Rotation, below.XAlign, below.YAlign = math.Pi/2, draw.XRight, draw.YCenter
	for i, row := range m.counts {
		y := head - matrixRow*(vg.Length(i)+0.5)
		x := left + width*(vg.Length(i)+0.5)
		c.FillText(side, vg.Point{X: left - 6, Y: y}, m.classes[i])
		c.FillText(below, vg.Point{X: x, Y: head - matrixRow*vg.Length(len(m.classes)) - 6}, m.classes[i])
		sum := 0
		for _, n := range row {
			sum += n
		}
		for j, n := range row {
			middle := vg.Point{X: left + width*(vg.Length(j)+0.5), Y: y}
			fill := shade(math.Sqrt(float64(n) / float64(max(sum, 1))))
			r := around(middle, vg.Point{X: width/2 - 0.6, Y: matrixRow/2 - 0.6})
			box(c, r.Min.X, r.Min.Y, r.Max.X, r.Max.Y, fill, nil, nil)
			cell := value(m.classes[i], math.NaN(), float64(n), middle)
			cell.At = m.classes[j]
			notesOf(c).take(cell)
			if n == 0 {
				continue
			}
			style := centered(text(sans(smallSize), onShade(fill)))
			if i == j {
				style.Font = bold(smallSize)
			}
			c.FillText(fit(style, fmt.Sprint(n), width-3), middle, fmt.Sprint(n))
		}
	}
}
