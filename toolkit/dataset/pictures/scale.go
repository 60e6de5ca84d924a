package pictures

import (
	"image"
	"math"

	"golang.org/x/image/draw"
)

// What a recipe's keys resize and exif may be.
const (
	ShortSide = "short"   // the short side becomes side pixels, and the centre of the other is cut out
	Squeeze   = "squeeze" // both sides become side pixels

	ObeyEXIF  = "obey"  // pictures are turned as EXIF says
	LeaveEXIF = "leave" // they stay as they are stored, as in torchvision's ImageFolder
)

// Settings say how pictures become images of one size.
type Settings struct {
	Side   int    // of the square images, in pixels
	Resize string // ShortSide or Squeeze
	EXIF   string // ObeyEXIF or LeaveEXIF
}

const channels = 3

// bytes returns the size of an image.
func (s Settings) bytes() int { return s.Side * s.Side * channels }

// longest is the longest side of a picture in units of its short one; of a longer picture the centre is taken, for its ends
// would be cut off anyway.
const longest = 16

// convert scales a picture with antialiasing (the bilinear kernel widens when a picture shrinks, as in Pillow and torchvision),
// cuts out the centre and turns it upright, into pixels [side, side, 3].
func (s Settings) convert(picture image.Image, turned orientation, pixels []byte) {
	from := picture.Bounds()
	if s.Resize == ShortSide {
		width, height := from.Dx(), from.Dy()
		short := min(width, height)
		cut := image.Pt(max(0, width-longest*short), max(0, height-longest*short)).Div(2)
		from = image.Rectangle{from.Min.Add(cut), from.Max.Sub(cut)}
	}
	whole, left, top := s.scaled(from.Dx(), from.Dy(), turned)

	canvas := image.NewRGBA(image.Rect(0, 0, s.Side, s.Side))
	to := image.Rectangle{Max: whole}.Sub(image.Pt(left, top))
	if whole == from.Size() {
		draw.Draw(canvas, to, picture, from.Min, draw.Src)
	} else {
		draw.BiLinear.Scale(canvas, to, picture, from, draw.Src, nil)
	}
	for y := range s.Side {
		for x := range s.Side {
			column, row := turned.source(x, y, s.Side, s.Side)
			copy(pixels[channels*(y*s.Side+x):][:channels], canvas.Pix[canvas.PixOffset(column, row):])
		}
	}
}

// scaled returns the size to which a picture of width x height, as stored, is scaled, and where the square that is cut out of
// it begins. Both are as torchvision's Resize and CenterCrop round them for the upright picture.
func (s Settings) scaled(width, height int, turned orientation) (whole image.Point, left, top int) {
	whole = image.Pt(s.Side, s.Side)
	if s.Resize == Squeeze {
		return whole, 0, 0
	}
	if width > height {
		whole.X = s.Side * width / height
	} else {
		whole.Y = s.Side * height / width
	}
	seen := whole // upright
	if turned.sideways() {
		seen = image.Pt(whole.Y, whole.X)
	}
	middle := func(length int) int { return int(math.RoundToEven(float64(length-s.Side) / 2)) }
	x, y := middle(seen.X), middle(seen.Y)
	x0, y0 := turned.source(x, y, whole.X, whole.Y)
	x1, y1 := turned.source(x+s.Side-1, y+s.Side-1, whole.X, whole.Y)
	return whole, min(x0, x1), min(y0, y1)
}
