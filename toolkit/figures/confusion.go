package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Confusion draws a confusion matrix: counts[i][j] images of class i were taken for class j. The shade is the share of
// the class, on a scale that shows small shares too; the right answers are on the diagonal.
func Confusion(about About, classes []string, counts [][]int) (*Figure, error) {
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
	s := sheet{headline: fmt.Sprintf("%d of %d images are taken for what they are", right, all), about: about}
	n := vg.Length(len(classes))
	label := text(sans(smallSize), ink)
	var names vg.Length
	for _, class := range classes {
		names = max(names, label.Width(class))
	}
	names += 8
	return s.sized(func(vg.Length) vg.Length { return 20*n + names + 24 }, func(c draw.Canvas) {
		c = title(c, "Images of each class (rows) by what they are taken for (columns)")
		width := min((c.Max.X-c.Min.X-names)/n, 44)
		const height = 20
		left, head := c.Min.X+names, c.Max.Y
		for i, row := range counts {
			sum := 0
			for _, n := range row {
				sum += n
			}
			y := head - height*(vg.Length(i)+0.5)
			side := label
			side.XAlign, side.YAlign = draw.XRight, draw.YCenter
			c.FillText(side, vg.Point{X: left - 6, Y: y}, classes[i])
			for j, n := range row {
				x := left + width*(vg.Length(j)+0.5)
				fill := shade(math.Sqrt(float64(n) / float64(max(sum, 1))))
				box(c, x-width/2+0.6, y-height/2+0.6, x+width/2-0.6, y+height/2-0.6, fill, nil, nil)
				if n == 0 {
					continue
				}
				style := centered(text(sans(smallSize), onShade(fill)))
				if i == j {
					style.Font = bold(smallSize)
				}
				c.FillText(fit(style, fmt.Sprint(n), width-3), vg.Point{X: x, Y: y}, fmt.Sprint(n))
			}
		}
		for j, class := range classes {
			turned := label
			turned.Rotation, turned.XAlign, turned.YAlign = math.Pi/2, draw.XRight, draw.YCenter
			c.FillText(turned, vg.Point{X: left + width*(vg.Length(j)+0.5), Y: head - height*n - 6}, class)
		}
	}), nil
}
