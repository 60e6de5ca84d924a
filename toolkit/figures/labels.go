package figures

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// callouts is a plotter of circles around points of curves, each with a label that stands where it covers neither a
// curve nor another label; a thin line leads to a label that had to go further away. Add it after all else.
type callouts struct {
	marks  []callout
	curves []plotter.XYs                                                 // on the plot's axes
	others func(toX func(float64) vg.Length, c draw.Canvas) [][]vg.Point // on other axes; may be nil
}

// callout is one circle with its label.
type callout struct {
	at     plotter.XY
	text   string
	style  draw.TextStyle
	above  bool      // where the label is wanted
	radius vg.Length // of the circle; 0: none
}

// Plot draws the circles and labels: it implements plot.Plotter.
func (l callouts) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	var lines [][]vg.Point
	for _, curve := range l.curves {
		points := make([]vg.Point, len(curve))
		for i, xy := range curve {
			points[i] = vg.Point{X: toX(xy.X), Y: toY(xy.Y)}
		}
		lines = append(lines, points)
	}
	if l.others != nil {
		lines = append(lines, l.others(toX, c)...)
	}
	var taken []vg.Rectangle
	inside := func(m callout) bool { return contains(c.Rectangle, vg.Point{X: toX(m.at.X), Y: toY(m.at.Y)}) }
	for _, m := range l.marks {
		at := vg.Point{X: toX(m.at.X), Y: toY(m.at.Y)}
		taken = append(taken, around(at, vg.Point{X: m.radius + 1, Y: m.radius + 1}))
	}
	for _, m := range l.marks {
		at := vg.Point{X: toX(m.at.X), Y: toY(m.at.Y)}
		if !inside(m) {
			continue
		}
		if m.radius > 0 {
			ring(c, m.style.Color, at, m.radius)
		}
		if m.text == "" {
			continue
		}
		place, leader := m.place(at, c.Rectangle, lines, taken)
		taken = append(taken, place)
		if leader != nil {
			c.StrokeLine2(draw.LineStyle{Color: m.style.Color, Width: 0.7}, leader[0].X, leader[0].Y, leader[1].X, leader[1].Y)
		}
		halo(c, m.style, vg.Point{X: (place.Min.X + place.Max.X) / 2, Y: (place.Min.Y + place.Max.Y) / 2}, m.text)
	}
}

// place finds the nearest place for the label where it is on no line and no other label, in the wanted direction if there
// is a choice; if all places are taken, it finds the one on the fewest lines. The leader goes from the circle to a label
// that is not beside it; a leader that crosses lines counts as if the label were further away.
func (m callout) place(at vg.Point, area vg.Rectangle, lines [][]vg.Point, taken []vg.Rectangle) (
	place vg.Rectangle, leader []vg.Point) {
	half := vg.Point{X: m.style.Width(m.text)/2 + 1.5, Y: m.style.Font.Size/2 + 1.5}
	up := 1.0
	if !m.above {
		up = -1
	}
	lowest := math.Inf(1)
	area.Min.X, area.Max.X = area.Min.X+1, area.Max.X-1 // not on an axis
	for distance := vg.Length(4); distance < 160 && float64(distance) < lowest; distance += 4 {
		// From the wanted side to both sides, and last the opposite one.
		for _, turn := range []float64{0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6} {
			sin, cos := math.Sincos(up * (math.Pi/2 - turn*math.Pi/6))
			middle := vg.Point{
				X: at.X + vg.Length(cos)*(m.radius+distance+half.X),
				Y: at.Y + vg.Length(sin)*(m.radius+distance+half.Y),
			}
			if turn == 0 || turn == 6 { // straight above or below it may be moved aside, to stay inside
				middle.X = min(max(middle.X, area.Min.X+half.X), area.Max.X-half.X)
			}
			r := around(middle, half)
			if r.Min.X < area.Min.X-0.01 || r.Max.X > area.Max.X+0.01 || r.Min.Y < area.Min.Y+1 || r.Max.Y > area.Max.Y {
				continue
			}
			to := m.leader(at, r, distance)
			cost := float64(distance)
			for _, line := range lines {
				cost += 1000*float64(parts(r, line)) + 20*float64(min(2, crossings(to, line)))
			}
			for _, other := range taken {
				if r.Min.X < other.Max.X && other.Min.X < r.Max.X && r.Min.Y < other.Max.Y && other.Min.Y < r.Max.Y {
					cost += 1e6
				}
				if to != nil && parts(other, to) > 0 && !contains(other, at) {
					cost += 100
				}
			}
			if cost < lowest {
				lowest, place, leader = cost, r, to
			}
		}
	}
	return place, leader
}

// leader is a line from the mark's circle to a label that is not beside it, or nil.
func (m callout) leader(at vg.Point, label vg.Rectangle, distance vg.Length) []vg.Point {
	if distance <= 8 {
		return nil
	}
	near := vg.Point{X: min(max(at.X, label.Min.X), label.Max.X), Y: min(max(at.Y, label.Min.Y), label.Max.Y)}
	way := vg.Length(math.Hypot(float64(near.X-at.X), float64(near.Y-at.Y)))
	start := vg.Point{X: at.X + (near.X-at.X)/way*m.radius, Y: at.Y + (near.Y-at.Y)/way*m.radius}
	return []vg.Point{start, near}
}

func contains(r vg.Rectangle, p vg.Point) bool {
	return r.Min.X <= p.X && p.X <= r.Max.X && r.Min.Y <= p.Y && p.Y <= r.Max.Y
}

// parts is the number of pieces of a line within a rectangle.
func parts(r vg.Rectangle, line []vg.Point) int {
	within := draw.Canvas{Rectangle: r}
	return len(within.ClipLinesXY(line))
}

// crossings is the number of times that a line crosses a leader, which may be nil.
func crossings(leader, line []vg.Point) int {
	if leader == nil {
		return 0
	}
	side := func(a, b, p vg.Point) bool { return (b.X-a.X)*(p.Y-a.Y) > (b.Y-a.Y)*(p.X-a.X) }
	a, b, n := leader[0], leader[1], 0
	for i := 1; i < len(line); i++ {
		if p, q := line[i-1], line[i]; side(a, b, p) != side(a, b, q) && side(p, q, a) != side(p, q, b) {
			n++
		}
	}
	return n
}

// around is the rectangle around a point, with half its size.
func around(at, half vg.Point) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: at.X - half.X, Y: at.Y - half.Y}, Max: vg.Point{X: at.X + half.X, Y: at.Y + half.Y}}
}
