package dataset

import "math/rand/v2"

// Default numbers of images of shapes.
const (
	shapesTrain      = 8_000
	shapesValidation = 1_000
	shapesTest       = 2_000
)

// loadShapes draws the set. Image i of a part depends on the seed, the part and i alone, so that more
// images leave the first ones as they are; its class is i modulo 10.
func loadShapes(o Options) (*Data, error) {
	classes := make([]string, len(figures))
	for i, figure := range figures {
		classes[i] = figure.name
	}
	return &Data{
		Name:       "shapes",
		Classes:    classes,
		Train:      NewView(drawShapes(o.Seed, streamShapesTrain, orDefault(o.Train, shapesTrain))),
		Validation: NewView(drawShapes(o.Seed, streamShapesValidation, orDefault(o.Validation, shapesValidation))),
		Test:       NewView(drawShapes(o.Seed, streamShapesTest, orDefault(o.Test, shapesTest))),
	}, nil
}

func orDefault(n, standard int) int {
	if n == 0 {
		return standard
	}
	return n
}

func drawShapes(seed int64, stream uint64, n int) *Images {
	images := newImages(n)
	parallel(n, 64, func(from, to int) {
		p := new(painter)
		for i := from; i < to; i++ {
			class := i % len(figures)
			p.source = newSource(seed, stream, i)
			p.draw(class)
			p.copyTo(images.Pixels[i*ImageBytes : (i+1)*ImageBytes])
			images.Labels[i] = uint8(class)
		}
	})
	return images
}

// newSource is the random source of one image.
func newSource(seed int64, stream uint64, image int) *rand.PCG {
	return rand.NewPCG(mix(uint64(seed)^mix(stream)), mix(uint64(image)))
}

// difficulty of shapes, in percent: it scales noise, clutter and distortion, and lowers the contrast.
const difficulty = 100

// draw paints one image: background, clutter, the figure, strokes across it, noise.
func (p *painter) draw(class int) {
	ground, ink := p.contrasting(96 - 40*difficulty/100)
	p.background(p.texture(ground, 70))

	for range p.between(1, 1+3*difficulty/100) {
		colour, _ := p.contrasting(0)
		centre := point{p.between(0, Side*unit), p.between(0, Side*unit)}
		p.fill([][]point{p.fragment(centre, p.between(2*unit, 5*unit))}, p.texture(colour, 40))
	}

	radius := p.between(6*unit, 13*unit)
	margin := radius * 3 / 4 // a quarter of the figure may be cut off
	centre := point{p.between(margin, Side*unit-margin), p.between(margin, Side*unit-margin)}
	outlines := figures[class].outlines(p)
	p.place(outlines, centre, radius)
	p.fill(outlines, p.texture(ink, 70))

	for range p.between(0, 2*difficulty/100) {
		colour, _ := p.contrasting(0)
		p.fill([][]point{p.stroke()}, flat(colour))
	}
	p.noise(p.between(8, 8+14*difficulty/100))
}

// contrasting returns two random colours; the sum of the differences of their channels is at least distance.
func (p *painter) contrasting(distance int) (a, b colour) {
	for {
		apart := 0
		for c := range Channels {
			a[c], b[c] = p.between(20, 235), p.between(20, 235)
			apart += max(a[c]-b[c], b[c]-a[c])
		}
		if apart >= distance {
			return a, b
		}
	}
}

// place turns, stretches and scales outlines from their frame (unit is 1) to the canvas, in place.
func (p *painter) place(outlines [][]point, centre point, radius int) {
	tilt, turn := p.direction(), p.direction()
	stretch := p.between(unit-80*difficulty/100, unit)
	rough := radius * difficulty / 100 / 24
	for _, outline := range outlines {
		for i, v := range outline {
			v = v.rotate(tilt)
			v.y = v.y * stretch / unit
			v = v.rotate(turn)
			outline[i] = point{
				centre.x + v.x*radius/unit + p.between(-rough, rough),
				centre.y + v.y*radius/unit + p.between(-rough, rough),
			}
		}
	}
}

// fragment is an irregular polygon about centre, of 3 to 5 corners.
func (p *painter) fragment(centre point, radius int) []point {
	corners := p.between(3, 5)
	start := p.between(0, circleCorners-1)
	outline := make([]point, corners)
	for i := range outline {
		direction := circle[(start+i*circleCorners/corners)%circleCorners]
		r := p.between(radius/2, radius)
		outline[i] = point{centre.x + direction.x*r/unit, centre.y + direction.y*r/unit}
	}
	return outline
}

// stroke is a thin bar across the image.
func (p *painter) stroke() []point {
	middle := point{p.between(4*unit, 28*unit), p.between(4*unit, 28*unit)}
	along := p.direction()
	length, width := p.between(5*unit, 16*unit), p.between(unit/3, unit*3/4)
	outline := []point{{-length, -width}, {length, -width}, {length, width}, {-length, width}}
	for i, v := range outline {
		v = v.rotate(along)
		outline[i] = point{middle.x + v.x, middle.y + v.y}
	}
	return outline
}
