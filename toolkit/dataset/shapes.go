package dataset

import (
	"cmp"
	"fmt"
	"math/rand/v2"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/internal/splitmix"
)

// Default numbers of images of shapes.
const (
	shapesTrain      = 8_000
	shapesValidation = 1_000
	shapesTest       = 2_000

	shapesLimit = 1_000_000 // of a part, at 32x32 pixels: 3 GB

	smallestSide, largestSide = 8, 512 // sides in pixels
)

// loadShapes draws the set. Image i of a part depends only on the seed, the part and i, so that the first images are the same in
// larger sets; its class is i modulo 10. At another size it is the same drawing with other noise.
func loadShapes(o Options) (*Data, error) {
	size := cmp.Or(o.Size, side)
	limit := shapesLimit * side * side / (size * size)
	if most := max(o.Train, o.Validation, o.Test); most > limit {
		return nil, fmt.Errorf("shapes: %s images are more than the %s that fit into memory: ask for fewer",
			say.Grouped(most), say.Grouped(limit))
	}
	return &Data{
		Name:       "shapes",
		Classes:    shapesClasses(),
		Train:      NewView(drawShapes(o.Seed, streamShapesTrain, size, cmp.Or(o.Train, shapesTrain))),
		Validation: NewView(drawShapes(o.Seed, streamShapesValidation, size, cmp.Or(o.Validation, shapesValidation))),
		Test:       NewView(drawShapes(o.Seed, streamShapesTest, size, cmp.Or(o.Test, shapesTest))),
	}, nil
}

// shapesClasses are the names of the labels.
func shapesClasses() []string {
	classes := make([]string, len(figures))
	for i, figure := range figures {
		classes[i] = figure.name
	}
	return classes
}

func drawShapes(seed int64, stream uint64, size, n int) *Images {
	images := newImages(n, square(size))
	parallel(n, 64, func(from, to int) {
		p := newPainter(size)
		for i := from; i < to; i++ {
			class := i % len(figures)
			p.source = newSource(seed, stream, i)
			p.draw(class)
			p.copyTo(images.Pixels[i*images.Format.Bytes():][:images.Format.Bytes()])
			images.Labels[i] = uint16(class)
		}
	})
	return images
}

// newSource returns the random source of one image.
func newSource(seed int64, stream uint64, image int) *rand.PCG {
	return rand.NewPCG(splitmix.Mix(uint64(seed)^splitmix.Mix(stream)), splitmix.Mix(uint64(image)))
}

// difficulty of shapes, in percent: it scales noise, clutter, textures and distortion, and lowers the contrast. At 100 a ResNet
// of 8 layers has 17 % test error after 4 epochs of 6,000 images.
const difficulty = 100

// draw paints one image: background, clutter, the figure, strokes across it, noise.
func (p *painter) draw(class int) {
	const spread = 70 * difficulty / 100
	ground, ink := p.contrast()
	p.background(p.texture(ground, spread))

	for range p.between(0, 4*difficulty/100) {
		centre := point{p.between(0, side*unit), p.between(0, side*unit)}
		p.fill([][]point{p.fragment(centre, p.between(2*unit, 4*unit))}, p.texture(p.colourBetween(ground, ink), spread))
	}

	radius := p.between(6*unit, 12*unit)
	margin := radius * 4 / 5 // a little of the figure may be cut off
	centre := point{p.between(margin, side*unit-margin), p.between(margin, side*unit-margin)}
	outlines := figures[class].outlines(p)
	p.place(outlines, centre, radius)
	p.fill(outlines, p.texture(ink, spread))

	for range p.between(0, 2*difficulty/100) {
		p.fill([][]point{p.stroke()}, flat(p.colourBetween(ground, ink)))
	}
	p.noise(p.between(4, 4+28*difficulty/100))
}

// contrast returns a random dark colour and a random light one.
func (p *painter) contrast() (dark, light colour) {
	const least = 60 - 40*difficulty/100 // between their brightnesses
	for {
		apart := 0
		for c := range channels {
			dark[c], light[c] = p.between(10, 150), p.between(90, 245)
			apart += light[c] - dark[c]
		}
		if apart >= least*channels {
			return dark, light
		}
	}
}

// colourBetween returns a random colour between a and b, in each channel.
func (p *painter) colourBetween(a, b colour) (c colour) {
	for i := range c {
		c[i] = p.between(min(a[i], b[i]), max(a[i], b[i]))
	}
	return c
}

// place turns, stretches and scales outlines from their frame (in which unit is 1) to the canvas; it changes them.
func (p *painter) place(outlines [][]point, centre point, radius int) {
	tilt, turn := p.direction(), p.direction()
	for turn.x < unit*3/4 { // up to 41 degrees
		turn = p.direction()
	}
	back := point{tilt.x, -tilt.y}
	stretch := p.between(unit-80*difficulty/100, unit)
	rough := radius * difficulty / 100 / 24
	for _, outline := range outlines {
		for i, v := range outline {
			v = v.rotate(tilt) // the axis that is stretched
			v.y = v.y * stretch / unit
			v = v.rotate(back).rotate(turn)
			outline[i] = point{
				centre.x + v.x*radius/unit + p.between(-rough, rough),
				centre.y + v.y*radius/unit + p.between(-rough, rough),
			}
		}
	}
}

// fragment returns an irregular polygon around centre, with 3 to 5 corners.
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

// stroke returns a thin bar across the image.
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
