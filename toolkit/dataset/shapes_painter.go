package dataset

import (
	"math"
	"math/rand/v2"
	"slices"
)

// unit is 1 in fixed-point numbers; as a length it is a pixel of a canvas of 32 pixels. The canvas has that size whatever the
// number of pixels that it is painted with, so that a figure has the same place in images of all sizes. Drawing uses integers
// (and single, exactly rounded float operations), so that every platform draws the same bytes.
const unit = 256

type point struct{ x, y int }

type colour [channels]int

// rotate turns v by the angle of the direction d, which has length unit.
func (v point) rotate(d point) point {
	return point{(v.x*d.x - v.y*d.y) / unit, (v.x*d.y + v.y*d.x) / unit}
}

// painter draws an image with random numbers from source.
type painter struct {
	source   *rand.PCG
	size     int      // side of the image in pixels
	pixels   []colour // [size*size]
	coverage []int    // [size*size], of the polygon being filled, 0..fullCover
}

func newPainter(size int) *painter {
	return &painter{size: size, pixels: make([]colour, size*size), coverage: make([]int, size*size)}
}

// between returns a uniform random integer in [low, high].
func (p *painter) between(low, high int) int {
	if high <= low {
		return low
	}
	return low + int((p.source.Uint64()>>32)*uint64(high-low+1)>>32)
}

// direction returns a vector of length unit and uniform angle.
func (p *painter) direction() point {
	for {
		x, y := p.between(-4096, 4096), p.between(-4096, 4096)
		if square := x*x + y*y; square > 1024*1024 && square <= 4096*4096 {
			length := math.Sqrt(float64(square)) // exactly rounded on every platform
			return point{int(float64(x*unit) / length), int(float64(y*unit) / length)}
		}
	}
}

// copyTo writes the image as bytes, [size, size, 3].
func (p *painter) copyTo(pixels []byte) {
	for i, rgb := range p.pixels {
		for c, x := range rgb {
			pixels[i*channels+c] = uint8(min(max(x, 0), 255))
		}
	}
}

func (p *painter) background(t texture) {
	for i := range p.pixels {
		p.pixels[i] = t.at(i%p.size, i/p.size, p.size)
	}
}

// noise adds approximately normal noise of the given standard deviation to each channel.
func (p *painter) noise(deviation int) {
	const sumDeviation = 148 // of the sum of four random bytes, sqrt(4 * (256^2 - 1) / 12)
	var bits uint64
	for i := range p.pixels {
		for c := range channels {
			if (i*channels+c)%2 == 0 {
				bits = p.source.Uint64()
			}
			four := int(bits&255 + bits>>8&255 + bits>>16&255 + bits>>24&255)
			bits >>= 32
			p.pixels[i][c] += (four - 510) * deviation / sumDeviation
		}
	}
}

// A pixel is sampled by several lines, with exact coverage along each.
const (
	linesPerPixel = 4
	fullCover     = linesPerPixel * unit
)

// fill paints the inside of outlines, by the even-odd rule, with anti-aliased edges.
func (p *painter) fill(outlines [][]point, t texture) {
	clear(p.coverage)
	var buffer [64]int
	for line := range p.size * linesPerPixel {
		y := line*unit/linesPerPixel + unit/linesPerPixel/2
		crossings := buffer[:0]
		for _, outline := range outlines {
			a := p.inPixels(outline[len(outline)-1])
			for _, b := range outline {
				b = p.inPixels(b)
				if (a.y <= y) != (b.y <= y) {
					crossings = append(crossings, a.x+(y-a.y)*(b.x-a.x)/(b.y-a.y))
				}
				a = b
			}
		}
		slices.Sort(crossings)
		row := p.coverage[line/linesPerPixel*p.size:][:p.size]
		for i := 0; i+1 < len(crossings); i += 2 {
			from, to := max(crossings[i], 0), min(crossings[i+1], p.size*unit)
			for x := from / unit; x*unit < to; x++ {
				row[x] += min(to, (x+1)*unit) - max(from, x*unit)
			}
		}
	}
	for i, cover := range p.coverage {
		if cover == 0 {
			continue
		}
		ink := t.at(i%p.size, i/p.size, p.size)
		for c := range channels {
			p.pixels[i][c] += (ink[c] - p.pixels[i][c]) * cover / fullCover
		}
	}
}

// inPixels turns a point of the canvas into the pixels of the image, times unit.
func (p *painter) inPixels(v point) point { return point{v.x * p.size / side, v.y * p.size / side} }

// texture blends two colours over the canvas.
type texture struct {
	kind      int // gradient, stripes, checks, blotches
	from, to  colour
	direction point
	period    int // of stripes and checks, times unit
	phase     int
	lattice   [6][6]int // of blotches: blend at every quarter of the canvas
}

const (
	gradient = iota
	stripes
	checks
	blotches
	textures
)

func flat(c colour) texture { return texture{from: c, to: c} }

// texture returns a random texture around the colour c; its two colours differ by up to spread in a channel.
func (p *painter) texture(c colour, spread int) texture {
	t := texture{
		kind:      p.between(0, textures-1),
		direction: p.direction(),
		period:    p.between(3*unit, 9*unit),
		phase:     p.between(0, 9*unit),
	}
	for i, x := range c {
		half := p.between(-spread/2, spread/2)
		t.from[i], t.to[i] = x-half, x+half
	}
	for i := range t.lattice {
		for j := range t.lattice[i] {
			t.lattice[i][j] = p.between(0, unit)
		}
	}
	return t
}

// at returns the colour of pixel (x, y) of an image with size*size pixels.
func (t *texture) at(x, y, size int) colour {
	along := (x*t.direction.x + y*t.direction.y) * side / size
	across := (y*t.direction.x - x*t.direction.y) * side / size
	var blend int // 0..unit
	switch t.kind {
	case gradient:
		blend = min(max(unit/2+((2*x-size)*t.direction.x+(2*y-size)*t.direction.y)/(2*size), 0), unit)
	case stripes:
		blend = t.wave(along)
	case checks:
		a, b := t.wave(along)*2-unit, t.wave(across)*2-unit
		blend = (unit + a*b/unit) / 2
	case blotches:
		i, j, fy, fx := 4*y/size, 4*x/size, 4*y%size, 4*x%size
		top := t.lattice[i][j]*(size-fx) + t.lattice[i][j+1]*fx
		bottom := t.lattice[i+1][j]*(size-fx) + t.lattice[i+1][j+1]*fx
		blend = (top*(size-fy) + bottom*fy) / (size * size)
	}
	c := t.from
	for i := range c {
		c[i] += (t.to[i] - t.from[i]) * blend / unit
	}
	return c
}

// wave returns a clipped triangle wave, 0..unit, of the distance along (which may be negative).
func (t *texture) wave(along int) int {
	at := (along+t.phase)%t.period + t.period
	at = at % t.period * 4 * unit / t.period // 0..4*unit
	rise := min(at, 4*unit-at) - unit/2      // -unit/2..3*unit/2
	return min(max(rise, 0), unit)
}
