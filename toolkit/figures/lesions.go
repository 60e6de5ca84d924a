package figures

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Lesion is a trained network that lost blocks: Errors[i] are the test errors, in percent, of several random choices
// of Removed[i] blocks.
type Lesion struct {
	Name     string
	Constant bool // trained with constant depth
	Removed  []int
	Errors   [][]float64
}

// Lesions draws the test error of trained networks against the number of blocks removed from them, the mean over the
// random choices and, as a thin bar, their range.
func Lesions(about About, lesions ...Lesion) (*Figure, error) {
	var looks []look
	used := map[bool]int{}
	most, high := 1.0, 1.0
	for _, lesion := range lesions {
		if len(lesion.Removed) == 0 || len(lesion.Errors) != len(lesion.Removed) {
			return nil, fmt.Errorf("%s has errors for %d of %d numbers of removed blocks", lesion.Name, len(lesion.Errors), len(lesion.Removed))
		}
		l := stochasticLook
		if lesion.Constant {
			l = constantLook
		}
		if n := used[lesion.Constant]; n > 0 {
			l.color = more[(n-1)%len(more)]
		}
		used[lesion.Constant]++
		looks = append(looks, l.named(lesion.Name))
		for i, errors := range lesion.Errors {
			if len(errors) == 0 {
				return nil, fmt.Errorf("%s has no error with %d blocks removed", lesion.Name, lesion.Removed[i])
			}
			most = max(most, float64(lesion.Removed[i]))
			for _, e := range errors {
				high = max(high, e)
			}
		}
	}
	if len(lesions) == 0 {
		return nil, fmt.Errorf("there is no network to draw")
	}
	s := sheet{headline: "Test error by the number of blocks removed after training", looks: looks, about: about}
	return s.figure(2.6*vg.Inch, func(c draw.Canvas) {
		c = title(c, "Test error (%)")
		p := newPlot()
		p.X.Label.Text, p.X.Tick.Marker = "blocks removed", niceTicks{whole: true}
		p.X.Min, p.X.Max = -0.2, most+0.2
		p.Y.Min, p.Y.Max = 0, min(high*1.05, 100)
		for i, lesion := range lesions {
			var points plotter.XYs
			for j, errors := range lesion.Errors {
				points = append(points, plotter.XY{X: float64(lesion.Removed[j]), Y: Average(errors...).Mean})
			}
			addCurve(p, looks[i], points)
		}
		p.Draw(c)
		area := p.DataCanvas(c)
		toX, toY := p.Transforms(&area)
		for i, lesion := range lesions {
			shift := 2.5 * (vg.Length(i) - vg.Length(len(lesions)-1)/2) // so that bars do not hide each other
			for j, errors := range lesion.Errors {
				low, high := math.Inf(1), math.Inf(-1)
				for _, e := range errors {
					low, high = min(low, e), max(high, e)
				}
				x := toX(float64(lesion.Removed[j])) + shift
				c.StrokeLine2(draw.LineStyle{Color: faint(looks[i].color), Width: 1.2}, x, toY(low), x, toY(high))
			}
		}
	}), nil
}

// faint is a colour half way to white.
func faint(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	half := func(v uint32) uint8 { return uint8((v>>8 + 255) / 2) }
	return color.NRGBA{half(r), half(g), half(b), 0xff}
}
