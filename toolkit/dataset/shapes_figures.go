package dataset

import "math"

// figures are the classes of shapes: outlines in a frame where unit is the radius of the figure, filled by the even-odd rule, so
// that an outline within another is a hole. Each call draws new proportions.
var figures = []struct {
	name     string
	outlines func(p *painter) [][]point
}{
	{"disc", func(p *painter) [][]point { return [][]point{scaled(circle[:], unit)} }},
	{"ring", func(p *painter) [][]point {
		return [][]point{scaled(circle[:], unit), scaled(circle[:], p.between(unit*2/5, unit*3/5))}
	}},
	{"square", func(p *painter) [][]point { return [][]point{regular(4)} }},
	{"triangle", func(p *painter) [][]point { return [][]point{regular(3)} }},
	{"pentagon", func(p *painter) [][]point { return [][]point{regular(5)} }},
	{"star", func(p *painter) [][]point {
		points, inner := regular(10), p.between(unit*2/5, unit*3/5)
		for i := 1; i < len(points); i += 2 {
			points[i] = point{points[i].x * inner / unit, points[i].y * inner / unit}
		}
		return [][]point{points}
	}},
	{"cross", func(p *painter) [][]point {
		w := p.between(unit/4, unit*2/5)
		return [][]point{{{-w, -unit}, {w, -unit}, {w, -w}, {unit, -w}, {unit, w}, {w, w},
			{w, unit}, {-w, unit}, {-w, w}, {-unit, w}, {-unit, -w}, {-w, -w}}}
	}},
	{"crescent", func(p *painter) [][]point {
		// The outer arc, then back along a parabola through its ends.
		outer := circle[3 : circleCorners-2]
		outline := scaled(outer, unit)
		bulge := p.between(unit/10, unit*2/5)
		tip := outer[0]
		for i := 1; i < 8; i++ {
			y := -tip.y + 2*tip.y*i/8
			outline = append(outline, point{tip.x - (tip.x+bulge)*(tip.y*tip.y-y*y)/(tip.y*tip.y), y})
		}
		return [][]point{outline}
	}},
	{"heart", func(p *painter) [][]point { return [][]point{scaled(heart[:], unit)} }},
	{"arrow", func(p *painter) [][]point {
		w, neck := p.between(unit/6, unit/3), p.between(-unit/5, unit/5)
		return [][]point{{{unit, 0}, {neck, unit * 4 / 5}, {neck, w}, {-unit, w},
			{-unit, -w}, {neck, -w}, {neck, -unit * 4 / 5}}}
	}},
}

// circleCorners is the number of corners that stand for a circle.
const circleCorners = 32

// Outlines of radius unit. The values are rounded to integers, and none is close to the middle between two, so that they do not
// depend on the last digits of a platform's sine.
var circle, heart = func() (circle, heart [circleCorners]point) {
	round := func(x float64) int { return int(math.Round(x * unit)) }
	for i := range circleCorners {
		angle := 2 * math.Pi * float64(i) / circleCorners
		sin, cos := math.Sincos(angle)
		circle[i] = point{round(cos), round(sin)}
		heart[i] = point{
			round(sin * sin * sin),
			round((-13*cos + 5*math.Cos(2*angle) + 2*math.Cos(3*angle) + math.Cos(4*angle) - 2.5) / 16),
		}
	}
	return circle, heart
}()

// regular returns the regular polygon of radius unit.
func regular(corners int) []point {
	outline := make([]point, corners)
	for i := range outline {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(corners))
		outline[i] = point{int(math.Round(cos * unit)), int(math.Round(sin * unit))}
	}
	return outline
}

// scaled returns a copy of an outline with another radius.
func scaled(outline []point, radius int) []point {
	copied := make([]point, len(outline))
	for i, v := range outline {
		copied[i] = point{v.x * radius / unit, v.y * radius / unit}
	}
	return copied
}
