package figures

import (
	"bytes"
	"encoding/csv"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"

	"stochdepth/toolkit/outcome"
)

// Number is a value that a figure shows: a point of a curve, a bar, or a cell.
type Number struct {
	Panel, Series string
	Curve         string  // of several curves of a series in a panel: 1, 2, … (a seed each) and mean; fit; as trained
	X             float64 // NaN: none
	At            string  // instead of X where that is no number
	Y             float64
	Lower, Upper  float64 // of the spread that the figure draws; NaN: none
}

// Numbers are the values that the figure shows, in the order in which they are drawn; a drawing without values has none. They
// are those of the data: neither rounded, nor cut by a frame.
func (f *Figure) Numbers() []Number {
	return f.notes().numbers()
}

// notes are those of the figure, drawn for nobody.
func (f *Figure) notes() *notes {
	var canvas recorder.Canvas
	return f.draw(draw.NewCanvas(&canvas, f.width, f.height))
}

// NumbersCSV is a table of the figure's numbers, with a line of names; nil if it has none.
func (f *Figure) NumbersCSV() []byte {
	numbers := f.Numbers()
	if len(numbers) == 0 {
		return nil
	}
	lines := [][]string{{"panel", "series", "curve", "x", "y", "lower", "upper"}}
	for _, n := range numbers {
		x := n.At
		if x == "" {
			x = digits(n.X)
		}
		lines = append(lines, []string{n.Panel, n.Series, n.Curve, x, digits(n.Y), digits(n.Lower), digits(n.Upper)})
	}
	return asCSV(lines)
}

// digits is a number without the noise of its last bits; NaN is empty.
func digits(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', 10, 64)
}

func asCSV(lines [][]string) []byte {
	var file bytes.Buffer
	csv.NewWriter(&file).WriteAll(lines) // into memory: cannot fail
	return file.Bytes()
}

// notes are the values of a figure, taken down while it is drawn.
type notes struct {
	panel   string // the present one
	list    []note
	spreads map[spot][2]float64 // lower and upper
	curves  map[spot]int        // of each series so far; x is 0

	legend []string            // the series there
	hues   map[string]bool     // the series that have colours
	framed struct{ x, y bool } // axes whose range may be chosen
	err    error               // of a range
}

// note is a value, where it is drawn, and the name of its axis.
type note struct {
	Number
	at   vg.Point
	axis string
	out  bool // of the frame, which cuts it
}

// spot is a place in a figure that may have a spread.
type spot struct {
	panel, series string
	x             float64
}

func newNotes() *notes {
	return &notes{spreads: map[spot][2]float64{}, curves: map[spot]int{}, hues: map[string]bool{}}
}

// notesOf returns the notes of the page on which c is, or of nobody.
func notesOf(c vg.Canvas) *notes {
	if p, ok := pageOf(c); ok {
		return p.notes
	}
	return newNotes()
}

// take takes down values of a series, each where it is drawn.
func (n *notes) take(list ...note) {
	for _, one := range list {
		one.Panel = n.panel
		if !math.IsNaN(one.Y) {
			n.list = append(n.list, one)
		}
	}
}

// value is the note of a single value without a spread.
func value(series string, x, y float64, at vg.Point) note {
	return note{Number: Number{Series: series, X: x, Y: y, Lower: math.NaN(), Upper: math.NaN()}, at: at}
}

// estimated is the note of a mean over seeds with its standard deviation.
func estimated(series string, x float64, e outcome.Estimate, at vg.Point) note {
	n := value(series, x, e.Mean, at)
	if e.N > 1 {
		n.Lower, n.Upper = e.Mean-e.Deviation, e.Mean+e.Deviation
	}
	return n
}

// numbers are the values with their spreads. A series with one curve needs no name for it.
func (n *notes) numbers() []Number {
	var numbers []Number
	for _, one := range n.list {
		if s, ok := n.spreads[spot{one.Panel, one.Series, one.X}]; ok && (one.Curve == "1" || one.Curve == "mean" || one.Curve == "") {
			one.Lower, one.Upper = s[0], s[1]
		}
		if one.Curve == "1" && n.curves[spot{one.Panel, one.Series, 0}] == 1 {
			one.Curve = ""
		}
		numbers = append(numbers, one.Number)
	}
	return numbers
}

// noted is a plotter that draws nothing, but takes down a curve. Curves without a name are counted.
type noted struct {
	style  seriesStyle
	points plotter.XYs
}

// Plot takes the points down: it implements plot.Plotter.
func (n noted) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	takeCurve(notesOf(c), n.style, n.points, p.X.Label.Text, func(xy plotter.XY) vg.Point {
		return vg.Point{X: toX(xy.X), Y: toY(xy.Y)}
	}, c)
}

// takeCurve takes down the points of a curve in a frame.
func takeCurve(n *notes, s seriesStyle, points plotter.XYs, axis string, at func(plotter.XY) vg.Point, frame draw.Canvas) {
	curve := s.curve
	if curve == "" {
		this := spot{n.panel, s.name, 0}
		n.curves[this]++
		curve = strconv.Itoa(n.curves[this])
	}
	for _, xy := range points {
		one := value(s.name, xy.X, xy.Y, at(xy))
		one.Curve, one.axis, one.out = curve, axis, !frame.Contains(one.at)
		n.take(one)
	}
}

// spreadsOf is a plotter that draws nothing, but takes down the spreads of a series.
type spreadsOf struct {
	series string
	bars
}

// Plot takes the spreads down: it implements plot.Plotter.
func (s spreadsOf) Plot(c draw.Canvas, _ *plot.Plot) {
	n := notesOf(c)
	for i, xy := range s.XYs {
		e := s.YErrors[i]
		n.spreads[spot{n.panel, s.series, xy.X}] = [2]float64{xy.Y - e.Low, xy.Y + e.High}
	}
}
