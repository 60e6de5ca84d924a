package figures

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// readings are the values of a drawn figure as elements of an SVG: at each a circle that is not seen, whose title a browser shows
// to whoever points at it. It needs no script.
func (f *Figure) readings(drawn *notes) string {
	var b strings.Builder
	numbers := drawn.numbers()
	for i, n := range drawn.list {
		if n.out {
			continue
		}
		radius := 4.0 // less where points of a curve are close
		for _, j := range []int{i - 1, i + 1} {
			if j >= 0 && j < len(numbers) && numbers[j].Series == numbers[i].Series && numbers[j].Curve == numbers[i].Curve {
				apart := drawn.list[j].at.Sub(n.at)
				radius = max(1, min(radius, math.Hypot(float64(apart.X), float64(apart.Y))/2))
			}
		}
		fmt.Fprintf(&b, "<circle cx=\"%.5g\" cy=\"%.5g\" r=\"%.3g\"><title>%s</title></circle>\n", float64(n.at.X)*f.scale,
			float64(f.Height)-float64(n.at.Y)*f.scale, radius*f.scale, html.EscapeString(numbers[i].reading(n.axis)))
	}
	if b.Len() == 0 {
		return ""
	}
	return "<g fill-opacity=\"0\">\n" + b.String() + "</g>\n"
}

// reading is the number in two lines, with the name of its horizontal axis.
func (n Number) reading(axis string) string {
	series := n.Series
	if n.Curve != "" {
		series += " (" + n.Curve + ")"
	}
	at := n.At
	if at == "" && !math.IsNaN(n.X) {
		at = strings.TrimSpace(axis + " " + short(n.X))
	}
	if at != "" {
		at += ": "
	}
	value := short(n.Y)
	if !math.IsNaN(n.Lower) {
		value += " (" + short(n.Lower) + " to " + short(n.Upper) + ")"
	}
	return series + "\n" + at + value
}

// short is a number with four digits.
func short(x float64) string {
	if math.Abs(x) >= 1000 {
		return fmt.Sprintf("%.0f", x)
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}
